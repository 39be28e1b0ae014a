// How a test looks at a page in any engine: it finds things by their role and their name, as a screen reader does.
// tests/engines/drivers.py puts these lines before each question.

const SELECTORS = {
  article: 'article',
  button: 'button, [role=button], summary',
  choice: 'label:has(input)', // a finger presses the words beside what it checks
  checkbox: 'input[type=checkbox]',
  dialog: 'dialog[open], [popover]:popover-open',
  heading: 'h1, h2, h3',
  link: 'a[href]',
  listitem: 'li',
  region: '[role=region], section',
  room: '.room',
  status: '[role=status], [role=alert]',
  textbox: 'textarea, input:not([type=checkbox], [type=radio], [type=hidden])',
};

const tidy = (text) => (text ?? '').replace(/\s+/g, ' ').trim().toLowerCase();

function nameOf(element) {
  const label = element.getAttribute('aria-label');
  const namedBy = element.getAttribute('aria-labelledby')?.split(/\s+/).map((id) => document.getElementById(id));
  const texts = namedBy ?? (element.labels?.length ? [...element.labels] : [element]);
  return tidy(label ?? texts.map((text) => text?.textContent).join(' '));
}

/** Everything seen that has the role and the name; those that have it as a part, where none has just that name. */
function all({ role, name = '', within }) {
  const places = within ? all(within) : [document];
  const seen = places.flatMap((place) => [...place.querySelectorAll(SELECTORS[role])])
    .filter((element) => element.checkVisibility({ visibilityProperty: true }));
  const exact = seen.filter((element) => nameOf(element) === tidy(name));
  return exact.length ? exact : seen.filter((element) => nameOf(element).includes(tidy(name)));
}

/** The one that is meant. Throws when there is none or more. */
function one(what) {
  const found = all(what);
  if (found.length === 1) return found[0];
  throw new Error(`${found.length} of ${JSON.stringify(what)}`);
}

/** Where a finger would press it: {x, y}. Throws while it cannot be pressed. */
function pointOf(what) {
  const element = one(what);
  if (element.matches(':disabled, [aria-disabled=true]')) throw new Error(`${nameOf(element)} is disabled`);
  element.scrollIntoView({ block: 'nearest', inline: 'nearest', behavior: 'instant' });
  const { left, top, width, height } = element.getBoundingClientRect();
  const [x, y] = [Math.round(left + width / 2), Math.round(top + height / 2)];
  const hit = document.elementFromPoint(x, y);
  if (!element.contains(hit)) throw new Error(`${nameOf(element)} is behind ${hit?.outerHTML.slice(0, 100)}`);
  return { x, y };
}

/** The text that is seen there, or on the whole page. */
function textOf(what) {
  return tidy((what ? one(what) : document.body).innerText);
}

/** Whether it has the focus. */
function isFocused(what) {
  return document.activeElement === one(what);
}
