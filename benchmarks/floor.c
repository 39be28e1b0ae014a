/* What telling people costs at least: one process sends frames to many sockets over loopback TCP, one `send` for 1, 4
 * or 16 of them, and another reads them. Prints the sender's processor time for each frame in microseconds, a line for
 * each of the three.
 *
 *     floor CONNECTIONS FRAMES BYTES CORE READERS_CORE      (FRAMES to each connection)
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void must(int fine, const char *what) {
  if (!fine) {
    perror(what);
    exit(1);
  }
}

static void stay_on(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  must(sched_setaffinity(0, sizeof set, &set) == 0, "sched_setaffinity");
}

static double processor_seconds(void) {
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  return used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static void read_all(const int *sockets, int count) {
  static char buffer[1 << 18];
  struct epoll_event events[1024];
  int poll = epoll_create1(0), open = count;
  for (int n = 0; n < count; n++) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = sockets[n]};
    epoll_ctl(poll, EPOLL_CTL_ADD, sockets[n], &event);
  }
  while (open > 0) {
    int ready = epoll_wait(poll, events, 1024, -1);
    for (int n = 0; n < ready; n++)
      if (read(events[n].data.fd, buffer, sizeof buffer) <= 0) {
        close(events[n].data.fd);
        open--;
      }
  }
}

int main(int argc, char **argv) {
  must(argc == 6, "floor CONNECTIONS FRAMES BYTES CORE READERS_CORE");
  int count = atoi(argv[1]), frames = atoi(argv[2]), size = atoi(argv[3]);
  int *ours = calloc(count, sizeof(int)), *theirs = calloc(count, sizeof(int));
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  must(bind(listener, (struct sockaddr *)&address, length) == 0 && listen(listener, 128) == 0, "listen");
  getsockname(listener, (struct sockaddr *)&address, &length);
  for (int n = 0; n < count; n++) {
    theirs[n] = socket(AF_INET, SOCK_STREAM, 0);
    must(connect(theirs[n], (struct sockaddr *)&address, length) == 0, "connect");
    ours[n] = accept(listener, NULL, NULL);
    must(ours[n] >= 0, "accept");
  }
  pid_t reader = fork();
  must(reader >= 0, "fork");
  if (reader == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int n = 0; n < count; n++) close(ours[n]);
    stay_on(atoi(argv[5]));
    read_all(theirs, count);
    return 0;
  }
  for (int n = 0; n < count; n++) close(theirs[n]);
  stay_on(atoi(argv[4]));
  char *data = malloc(size * 16);
  memset(data, 'x', size * 16);
  for (int together = 1; together <= 16; together *= 4) {
    double began = processor_seconds();
    for (int round = 0; round < frames / together; round++)
      for (int n = 0; n < count; n++)
        must(send(ours[n], data, size * together, 0) == size * together, "send");
    printf("%.3f\n", (processor_seconds() - began) * 1e6 / ((double)(frames / together) * together * count));
  }
  for (int n = 0; n < count; n++) close(ours[n]);
  waitpid(reader, NULL, 0);
  return 0;
}
