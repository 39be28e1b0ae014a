/**
 * A guest's entrance: what stands in place of the sign-in form for who opened the link of a room's door. It says what is
 * talked of, with whom and for how long, and asks for a name. No Vue: nobody should wait for it to read a topic.
 *
 * Nothing changes before the button is pressed. The token of the link stays in the address until then, so that the page
 * can be reloaded, or opened in a better browser than a messenger's own.
 */

import { keep, linkTo } from './kept.js';
import { hueOf, initialOf, isClosingRound, loadStyles, nameOf, naming, noteGuests, seated, shareLeft } from './parts.js';
import { HOUR, SECOND, dayOf, fetchAllWords, fill, timeLeft, timeOfDay, words } from './words.js';

const FACES = 5;
// A room that should have opened, or is over, is asked for again; a thousand may stand before it.
const LOOK_AGAIN_MS = 4 * SECOND;
// Who comes back to the page after this sees the room as it is by now.
const STALE_MS = 30 * SECOND;
// What the party does not count: what says of an emoji whether it is in colour.
const BESIDE_AN_EMOJI = /(?<=[^\p{L}\p{N}\s_])[\ufe0e\ufe0f]/gu;

let link; // what came behind the "#": room and door
let signInForm; // in place of which the entrance stands
let parts; // of the entrance, by name
let room; // as the party said last; null where the link leads nowhere
let clockOffset = 0;
let lookedAt = 0;
let ticking;

/** Shows the entrance in place of `form`. Throws where what it takes cannot be had. */
export async function openEntrance(fragment, form) {
  [link, signInForm] = [{ room: fragment.get('room').trim(), door: fragment.get('door').trim() }, form];
  await Promise.all([fetchAllWords(), loadStyles('entrance')]);
  document.querySelector('.door')?.remove(); // of a link that was opened before, in this very tab
  const page = document.getElementById('door').content.cloneNode(true);
  parts = Object.fromEntries(Array.from(page.querySelectorAll('[data-part]'), (element) => [element.dataset.part, element]));
  parts.page = page.querySelector('.door');
  parts.name = page.querySelector('input');
  parts.form.addEventListener('submit', comeIn);
  parts.name.addEventListener('input', onName);
  parts.signIn.addEventListener('click', showForm);
  await look();
  form.before(page);
  document.addEventListener('visibilitychange', onVisible);
  if (parts.form.hidden) parts.topic.focus();
  else parts.name.focus();
}

/** The party's answer, always one, with its sentences in the language of the page. */
async function post(address, what) {
  const token = document.querySelector('[name=token]').value;
  try {
    const answer = await fetch(address, { method: 'POST', body: new URLSearchParams({ token, ...what }) });
    return { ok: answer.ok, ...(await answer.json()) };
  } catch {
    return { ok: false, code: 'unavailable', error: words.connection.notAnswering };
  }
}

// What is seen

/** Asks how the room is now, and shows it. */
async function look() {
  lookedAt = Date.now();
  const answer = await post('entrance', link);
  if (answer.ok) {
    room = answer;
    clockOffset = room.now - Date.now();
    noteGuests(room);
    const hasOpened = parts.form.hidden && !isPlanned();
    showRoom();
    if (hasOpened) parts.name.focus();
  } else if (answer.code === 'not_found') showNowhere();
  else if (!room) showTrouble(answer.error);
  clearInterval(ticking);
  ticking = setInterval(tick, SECOND);
}

const now = () => Date.now() + clockOffset;

const isPlanned = () => Boolean(room.opens_at);

function showRoom() {
  const { topic, host, last } = room;
  const people = isPlanned() ? [host] : seated(room);
  document.title = `${topic} – ${words.party.name}`;
  parts.page.className = `door ${hueOf(host)}`;
  parts.topic.textContent = topic;
  parts.faces.replaceChildren(...people.slice(0, FACES).map((user) => face(user, people)), ...moreThan(people));
  parts.last.replaceChildren(...(last ? [lastWords(last, people)] : []));
  parts.question.textContent = room.door === 'watch' ? words.entrance.nameOrNone : words.entrance.name;
  parts.said.textContent = '';
  parts.publish.hidden = !room.publish;
  parts.publishSaid.textContent = room.publish ? publishing() : '';
  parts.form.hidden = isPlanned();
  showTime();
  showSeen();
}

/** What becomes of what is said there, for who may say something and for who may not. */
const publishing = () => (room.door === 'watch' ? words.entrance.publish : words.asking.publish);

function face(user, people) {
  const element = document.createElement('span');
  element.className = `face ${hueOf(user, people)}`;
  element.textContent = initialOf(nameOf(user));
  return element;
}

function moreThan(people) {
  if (people.length <= FACES) return [];
  const element = document.createElement('span');
  element.className = 'face face--more';
  element.textContent = `+${people.length - FACES}`;
  return [element];
}

function lastWords({ user, text }, people) {
  const [said, author] = ['span', 'b'].map((name) => document.createElement(name));
  said.className = hueOf(user, people);
  author.append(bdi(naming(user)));
  said.append(author, ` ${text}`);
  return said;
}

function bdi(text) {
  const element = document.createElement('bdi');
  element.textContent = text;
  return element;
}

/** When, and in the last hour how soon, as friends read it. */
function opensIn() {
  const left = room.opens_at - now();
  if (left < HOUR) return fill(words.plans.opensIn, { left: timeLeft(Math.max(left, 0)) });
  return `${fill(words.entrance.opens, { day: dayOf(room.opens_at), time: timeOfDay(room.opens_at) })} ${words.entrance.byItself}`;
}

/** Who hosts; of a room that is open also for how long, and how many listen. */
function showTime() {
  const about = [`${room.host} ${words.card.hosts}`];
  parts.line.hidden = isPlanned();
  hear(!isPlanned()); // nobody wants to hear the seconds
  if (isPlanned()) parts.said.textContent = opensIn();
  else {
    const isLast = isClosingRound(room, now());
    const left = timeLeft(room.closes_at - now());
    about.push(isLast ? fill(words.clock.lastWords, { left }) : left);
    if (room.watching) about.push(fill(words.card.listening, { count: room.watching }));
    parts.line.classList.toggle('burn--last', isLast);
    parts.line.style.setProperty('--share', shareLeft(room, now()));
  }
  parts.about.textContent = about.join(words.lobby.dot);
}

/** How others will see who is typing here, unless the name was refused. */
function showSeen() {
  const name = parts.name.value.trim();
  const how = room.door === 'watch' ? words.entrance.onlyListen : fill(words.entrance.ask, { user: room.host });
  if (parts.refusal.textContent) return parts.seen.replaceChildren();
  if (!name) return parts.seen.replaceChildren(room.door === 'watch' ? `${words.entrance.unnamed} ${how}` : how);
  const [before, after] = words.entrance.seen.split('{guest}');
  const badge = document.createElement('small');
  badge.className = 'guest';
  badge.textContent = words.people.guest;
  return parts.seen.replaceChildren(before, bdi(name), ' ', badge, `${after} ${how}`);
}

/** One sentence for every link that does not lead here, or does no more. */
function showNowhere() {
  room = null;
  document.title = words.party.name;
  parts.page.className = 'door door--nowhere';
  parts.topic.textContent = words.entrance.nowhere;
  hear(true);
  parts.said.textContent = words.entrance.nowhereWhy;
  showNothingElse();
}

function showTrouble(sentence) {
  parts.page.className = 'door door--nowhere';
  parts.topic.textContent = words.party.name;
  parts.said.textContent = sentence;
  showNothingElse();
}

/** Whether a screen reader reads out what is said here, as it changes. */
function hear(isHeard) {
  parts.said.setAttribute('aria-live', isHeard ? 'polite' : 'off');
}

function showNothingElse() {
  parts.form.hidden = true;
  for (const name of ['open', 'facts', 'line', 'last', 'publish']) parts[name].hidden = !room;
}

// What happens

function tick() {
  if (!room) return;
  showTime();
  const isDue = now() >= (room.opens_at ?? room.closes_at);
  if (isDue && !document.hidden && Date.now() - lookedAt > LOOK_AGAIN_MS) look();
}

function onVisible() {
  if (!document.hidden && room && Date.now() - lookedAt > STALE_MS) look();
}

function onName({ isComposing }) {
  if (!isComposing) shorten(parts.name);
  refuse('');
}

/** A `maxlength`, as the party counts: characters, however many units or pieces a browser has for one. */
function shorten(field) {
  const characters = Array.from(field.value);
  const length = () => Array.from(characters.join('').trim().replace(BESIDE_AN_EMOJI, '').normalize('NFKC')).length;
  const at = field.selectionStart;
  const before = characters.length;
  while (length() > field.dataset.longest) characters.pop();
  if (characters.length === before) return;
  field.value = characters.join('');
  field.setSelectionRange(at, at);
}

function refuse(sentence) {
  parts.refusal.textContent = sentence;
  parts.name.setAttribute('aria-invalid', String(Boolean(sentence)));
  showSeen();
}

async function comeIn(event) {
  event.preventDefault();
  const { submitter } = event;
  if (submitter?.disabled) return;
  if (submitter) submitter.disabled = true;
  const name = parts.name.value.trim();
  const isUnnamed = !name && room.door === 'watch';
  const answer = await post('guest', { ...link, ...(isUnnamed ? { unnamed: 'yes' } : { name }) });
  if (answer.ok) {
    keep('room after sign-in', null);
    return location.replace(linkTo(link.room)); // no way back leads to the token
  }
  if (submitter) submitter.disabled = false;
  if (answer.code === 'not_found') return showNowhere();
  refuse(answer.error);
  parts.name.focus();
}

/** Who has a name here comes to the same room by it. */
function showForm() {
  parts.page.remove();
  clearInterval(ticking);
  signInForm.hidden = false;
  signInForm.querySelector('[name=name]').focus();
}
