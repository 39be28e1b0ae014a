/** What the party takes, as its server says in the page: texts in characters, times in milliseconds. */

export const limits = JSON.parse(document.getElementById('limits').textContent);
