// Somebody who is told what happens in a party, and looks whether it is true: a line on standard output for each time.
// node receiver.mjs SHARE SECRET… says on which port it listens, and fails for that share of what it is told.
import { createServer } from 'node:http';
import { Webhook } from 'standardwebhooks';

const [share, ...secrets] = process.argv.slice(2);

/** The reason why no secret proves it; null where one does. */
function errorOf(body, headers) {
  const errors = secrets.map((secret) => {
    try {
      new Webhook(secret).verify(body, headers);
      return null;
    } catch (error) {
      return error.message;
    }
  });
  return errors.includes(null) ? null : errors[0];
}

const server = createServer(async (request, response) => {
  let body = '';
  for await (const piece of request) body += piece;
  const error = errorOf(body, request.headers);
  const chance = Math.random();
  const taken = !error && chance >= Number(share);
  console.log(JSON.stringify({ id: request.headers['webhook-id'], body, error, taken }));
  if (!taken && chance < Number(share) / 2) request.socket.destroy();
  else response.writeHead(taken ? 204 : 503).end();
});
server.listen(0, 'localhost', () => console.log(server.address().port));
