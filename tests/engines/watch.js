// Keeps what goes wrong on a page until a test reads it, also over a reload.
{
  const note = (...words) => {
    const before = JSON.parse(sessionStorage.getItem('trouble') ?? '[]');
    sessionStorage.setItem('trouble', JSON.stringify([...before, words.map(String).join(' ')]));
  };
  // An element that could not be loaded says so to those who listen on the way down.
  addEventListener('error', ({ message, filename, lineno, target }) => {
    if (target === window) note(message, `${filename}:${lineno}`);
    else note('not loaded:', target.src || target.href);
  }, true);
  addEventListener('unhandledrejection', ({ reason }) => note('unhandled:', reason?.stack ?? reason));
  addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => note(violatedDirective, blockedURI));
  for (const level of ['error', 'warn']) {
    const say = console[level];
    console[level] = (...words) => {
      note(`console.${level}:`, ...words);
      say.apply(console, words);
    };
  }
}
