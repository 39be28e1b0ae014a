/**
 * A guest's entrance: what stands in place of the sign-in form for who opened the link of a room's door. It says what is
 * talked of, with whom and for how long, and asks for a name. No Vue: nobody should wait for it to read a topic.
 *
 * Nothing changes before the button is pressed. The token of the link stays in the address until then, so that the page
 * can be reloaded, or opened in a better browser than a messenger's own.
 */

import { keep, linkTo } from './kept.js';
import { hueOf, initialOf, isClosingRound, nameOf, naming, noteGuests, seated, shareLeft } from './parts.js';
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
let part; // the parts of the entrance, by name
let room; // as the party said last; null where the link leads nowhere
let clockOffset = 0;
let lookedAt = 0;
let ticking;

/** Shows the entrance in place of `form`. Throws where what it takes cannot be had. */
export async function openEntrance(fragment, form) {
  [link, signInForm] = [{ room: fragment.get('room').trim(), door: fragment.get('door').trim() }, form];
  await Promise.all([fetchAllWords(), loadStyle()]);
  document.querySelector('.door')?.remove(); // of a link that was opened before, in this very tab
  const page = document.getElementById('door').content.cloneNode(true);
  part = Object.fromEntries(Array.from(page.querySelectorAll('[data-part]'), (element) => [element.dataset.part, element]));
  part.page = page.querySelector('.door');
  part.name = page.querySelector('input');
  part.form.addEventListener('submit', comeIn);
  part.name.addEventListener('input', onName);
  part.signIn.addEventListener('click', showForm);
  await look();
  form.before(page);
  document.addEventListener('visibilitychange', onVisible);
  if (part.form.hidden) part.topic.focus();
  else part.name.focus();
}

function loadStyle() {
  const style = document.querySelector('link[data-part=entrance]');
  if (!style.disabled) return undefined;
  return new Promise((resolve) => Object.assign(style, { onload: resolve, onerror: resolve, disabled: false }));
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
    const hasOpened = part.form.hidden && !isPlanned();
    showRoom();
    if (hasOpened) part.name.focus();
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
  part.page.className = `door ${hueOf(host)}`;
  part.topic.textContent = topic;
  part.faces.replaceChildren(...people.slice(0, FACES).map((user) => face(user, people)), ...moreThan(people));
  part.last.replaceChildren(...(last ? [lastWords(last, people)] : []));
  part.question.textContent = room.door === 'watch' ? words.entrance.nameOrNone : words.entrance.name;
  part.said.textContent = '';
  part.form.hidden = isPlanned();
  showTime();
  showSeen();
}

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
  const [words, author] = ['span', 'b'].map((name) => document.createElement(name));
  words.className = hueOf(user, people);
  author.append(bdi(naming(user)));
  words.append(author, ` ${text}`);
  return words;
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
  part.line.hidden = isPlanned();
  hear(!isPlanned()); // nobody wants to hear the seconds
  if (isPlanned()) part.said.textContent = opensIn();
  else {
    const isLast = isClosingRound(room, now());
    const left = timeLeft(room.closes_at - now());
    about.push(isLast ? fill(words.clock.lastWords, { left }) : left);
    if (room.watching) about.push(fill(words.card.listening, { count: room.watching }));
    part.line.classList.toggle('burn--last', isLast);
    part.line.style.setProperty('--share', shareLeft(room, now()));
  }
  part.about.textContent = about.join(words.lobby.dot);
}

/** How others will see who is typing here, unless the name was refused. */
function showSeen() {
  const name = part.name.value.trim();
  const how = room.door === 'watch' ? words.entrance.onlyListen : fill(words.entrance.ask, { user: room.host });
  if (part.refusal.textContent) return part.seen.replaceChildren();
  if (!name) return part.seen.replaceChildren(room.door === 'watch' ? `${words.entrance.unnamed} ${how}` : how);
  const [before, after] = words.entrance.seen.split('{guest}');
  const badge = document.createElement('small');
  badge.className = 'guest';
  badge.textContent = words.people.guest;
  return part.seen.replaceChildren(before, bdi(name), ' ', badge, `${after} ${how}`);
}

/** One sentence for every link that does not lead here, or does no more. */
function showNowhere() {
  room = null;
  document.title = words.party.name;
  part.page.className = 'door door--nowhere';
  part.topic.textContent = words.entrance.nowhere;
  hear(true);
  part.said.textContent = words.entrance.nowhereWhy;
  showNothingElse();
}

function showTrouble(sentence) {
  part.page.className = 'door door--nowhere';
  part.topic.textContent = words.party.name;
  part.said.textContent = sentence;
  showNothingElse();
}

/** Whether a screen reader reads out what is said here, as it changes. */
function hear(isHeard) {
  part.said.setAttribute('aria-live', isHeard ? 'polite' : 'off');
}

function showNothingElse() {
  part.form.hidden = true;
  for (const name of ['open', 'facts', 'line', 'last']) part[name].hidden = !room;
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
  if (!isComposing) shorten(part.name);
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
  part.refusal.textContent = sentence;
  part.name.setAttribute('aria-invalid', String(Boolean(sentence)));
  showSeen();
}

async function comeIn(event) {
  event.preventDefault();
  const { submitter } = event;
  if (submitter?.disabled) return;
  if (submitter) submitter.disabled = true;
  const name = part.name.value.trim();
  const isUnnamed = !name && room.door === 'watch';
  const answer = await post('guest', { ...link, ...(isUnnamed ? { unnamed: 'yes' } : { name }) });
  if (answer.ok) {
    keep('room after sign-in', null);
    return location.replace(linkTo(link.room)); // no way back leads to the token
  }
  if (submitter) submitter.disabled = false;
  if (answer.code === 'not_found') return showNowhere();
  refuse(answer.error);
  part.name.focus();
}

/** Who has a name here comes to the same room by it. */
function showForm() {
  part.page.remove();
  clearInterval(ticking);
  signInForm.hidden = false;
  signInForm.querySelector('[name=name]').focus();
}
