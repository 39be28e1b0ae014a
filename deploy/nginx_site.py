"""Prints what nginx needs to lead visitors to the party; deploy/install.sh puts it in place.

    nginx_site.py site party.blog.example --processes 3 --certificate FULLCHAIN --key KEY
    nginx_site.py site blog.example/party/          what stands at the level of `http`, and for a name of its own all
    nginx_site.py location blog.example/party/      what stands in the `server` of the site that is there already

How a request is handed on stands in nginx_forwarding.conf.
"""

import argparse
import os
import re
import subprocess
from pathlib import Path

DEPLOY = Path(__file__).resolve().parent
FIRST_PORT = 5001

SITE = """\
include "{deploy}/nginx_http.conf";

{upstream}

limit_conn_zone $binary_remote_addr zone=party:1m;
"""

PLAIN = """
server {{
    {listen}
    server_name {host};
    client_header_timeout 10s; # who sends half a request does not hold a line for long

    location ^~ /.well-known/acme-challenge/ {{ # for certbot, which proves with it that the name is ours
        root /var/www/party;
    }}

{location}}}
"""

SECURE = """
server {{
    {listen}
    server_name {host};
    ssl_certificate "{certificate}";
    ssl_certificate_key "{key}";
    ssl_protocols TLSv1.2 TLSv1.3;
    client_header_timeout 10s;

{location}}}
"""

TO_TLS = """\
    location / {
        return 301 https://$host$request_uri;
    }
"""

# `^~`: no pattern of the site around it, such as one for every `.js`, takes the party's files.
LOCATION = """\
    location ^~ {path} {{
        set $party_prefix "{prefix}";
        include "{deploy}/nginx_forwarding.conf";
        proxy_pass http://party/;
        proxy_read_timeout 5s;
        # Lines from one address, and of HTTP/2 requests at once: a household or an office of friends with many tabs.
        limit_conn party 500;
        limit_conn_status 429;
        error_log /var/log/nginx/error.log crit; # lower levels name visitors

        location ^~ {path}socket.io/ {{
            set $party_prefix "{prefix}";
            include "{deploy}/nginx_forwarding.conf";
            proxy_pass http://party/socket.io/;
            proxy_read_timeout 30s;
        }}

        # The pages of rooms that were published, also while the party stands still. What is none of them it knows.
        location ^~ {path}published/ {{
            alias {pages}/;
            index index.html;
            types {{ text/html html; application/xml xml; }}
            charset utf-8;
            gzip on;
            gzip_types application/xml;
            add_header Content-Security-Policy "{policy}";
            add_header X-Content-Type-Options nosniff;
            add_header Referrer-Policy no-referrer;
            add_header Cache-Control max-age=60;
            access_log off;
            log_not_found off;
            error_page 403 404 405 = @party;
        }}
    }}

    location @party {{
        rewrite ^{path}(.*)$ /$1 break;
        set $party_prefix "{prefix}";
        include "{deploy}/nginx_forwarding.conf";
        proxy_pass http://party;
        proxy_read_timeout 5s;
    }}
"""

PAGES = "/var/lib/party-published"  # steps.sh makes it; instance/ leads there, into which nginx may not look
# As services/publisher.py says it.
POLICY = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'"
)

WITHOUT_ITS_SLASH = """\
    location = {prefix} {{
        return 301 {path};
    }}

"""


def upstream(ports):
    """The processes of the party, and when nginx leaves one of them out.

    A process that hangs costs one visitor five seconds; then no worker of nginx (`zone`) asks it for ten. One that
    restarts refuses at once, and the next is asked; when all of them have failed a moment ago, as in a rolling restart,
    they are asked all the same: as `backup`, of which nothing is remembered.
    """
    servers = [f"    server 127.0.0.1:{port} max_fails=1 fail_timeout=10s;" for port in ports]
    if len(servers) > 1:
        servers += [f"    server 127.0.0.1:{port} max_fails=0 backup;" for port in ports]
    return "\n".join(["upstream party {", "    zone party_processes 64k;", *servers, "}"])


def location(path):
    prefix = path.rstrip("/")
    text = LOCATION.format(path=path, prefix=prefix, deploy=DEPLOY, pages=PAGES, policy=POLICY)
    return WITHOUT_ITS_SLASH.format(path=path, prefix=prefix) + text if prefix else text


def site(host, path, processes, certificate=None, key=None, ipv6=True, nginx=(1, 22)):
    """The file at the level of `http`. A party below a path has its `location` in a file of its own."""
    text = SITE.format(deploy=DEPLOY, upstream=upstream(range(FIRST_PORT, FIRST_PORT + processes)))
    if path != "/":
        return text
    text += PLAIN.format(host=host, listen=listen("80", ipv6), location=TO_TLS if certificate else location(path))
    if certificate:
        # The page is many small files: by HTTP/2 they come together, with short headers.
        has_directive = nginx >= (1, 25, 1)
        port = listen("443 ssl" if has_directive else "443 ssl http2", ipv6) + "\n    http2 on;" * has_directive
        text += SECURE.format(host=host, listen=port, certificate=certificate, key=key, location=location(path))
    return text


def listen(port, ipv6):
    return f"listen {port};\n    listen [::]:{port};" if ipv6 else f"listen {port};"


def version_of_nginx():
    search = {"PATH": f"{os.defpath}:/usr/local/sbin:/usr/sbin:/sbin"}  # where others than root do not look
    said = subprocess.run(["nginx", "-v"], env=search, capture_output=True, text=True, check=True).stderr
    return tuple(map(int, re.search(r"nginx/([\d.]+)", said)[1].split(".")))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("site", "location"))
    parser.add_argument("address", help="party.blog.example, or blog.example/party/")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    wanted = parser.parse_args()
    host, _, path = wanted.address.partition("/")
    path = f"/{path.rstrip('/')}/" if path.rstrip("/") else "/"
    if wanted.part == "location":
        print(location(path), end="")
    else:
        ipv6 = Path("/proc/net/if_inet6").exists()  # nginx does not start where it cannot listen
        how = (wanted.certificate, wanted.key, ipv6, version_of_nginx())
        print(site(host, path, wanted.processes, *how), end="")


if __name__ == "__main__":
    main()
