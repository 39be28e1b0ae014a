// Somebody who is told what happens in a party, and looks whether it is true: a line on standard output for each time.
// node receiver.mjs SHARE SECRET… says on which port it listens, and fails for that share of what it is told; for none of
// it so often that who tells it would give up.
import { createServer } from 'node:http';
import { Webhook } from 'standardwebhooks';

const [share, ...secrets] = process.argv.slice(2);
const MOST_FAILURES = 5;
const failures = {}; // by id

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
  const id = request.headers['webhook-id'];
  const chance = failures[id] >= MOST_FAILURES ? 1 : Math.random();
  const taken = !error && chance >= Number(share);
  if (!taken) failures[id] = (failures[id] ?? 0) + 1;
  console.log(JSON.stringify({ id, body, error, taken }));
  if (!taken && chance < Number(share) / 2) request.socket.destroy();
  else response.writeHead(taken ? 204 : 503).end();
});
server.listen(0, 'localhost', () => console.log(server.address().port));
