/**
 * Fills the form from an invite link, remembers the room that a link named, and tells the party that it was opened. Who
 * came by the link of a door sees the room's entrance in its place.
 */

import { keep, kept, linkTo } from './kept.js';
import { tell } from './measuring.js';

const { elements } = document.getElementById('sign-in');

function takeLink() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  // The room alone: neither a guest's token nor a password is kept anywhere.
  if (fragment.get('room')) keep('room after sign-in', linkTo(fragment.get('room').trim(), fragment.has('ask')));
  if (fragment.has('name')) {
    elements.name.value = fragment.get('name');
    elements.password.value = fragment.get('password') ?? '';
    // The password should stay in no address bar and no history.
    history.replaceState(null, '', location.pathname + location.search);
  }
  if (fragment.get('room') && fragment.get('door')) return showEntrance(fragment);
  document.getElementById('friends').hidden = !fragment.get('room');
  (elements.name.value ? elements.password : elements.name).focus();
}

/** Few come by such a link, so it comes when it is asked for. */
async function showEntrance(link) {
  const form = document.querySelector('.entrance');
  form.hidden = true;
  try {
    const { openEntrance } = await import('./entrance.js');
    await openEntrance(link, form);
  } catch (error) {
    form.hidden = false;
    const trouble = document.getElementById('trouble');
    trouble.textContent = trouble.dataset.notLoaded;
    throw error;
  }
}

takeLink();
// Once, also when the form comes again after a wrong password.
if (!kept('opened')) tell({ opened: 1 });
keep('opened', 'yes');
// A link that is pasted into this very tab.
addEventListener('hashchange', takeLink);
