/** The few pages that are served without the built dashboard. Texts are constants or escaped. */

export const PLAIN_PAGE_STYLE = `
:root { color-scheme: light dark; --line: #8884; --accent: #0b7285; }
@media (prefers-color-scheme: dark) { :root { --accent: #56c7dc; } }
body { font: 16px/1.55 system-ui, sans-serif; margin: 0; min-height: 100vh; display: grid; place-items: center; }
a { color: var(--accent); }
main { width: min(34rem, calc(100vw - 3rem)); padding: 2rem 0; }
h1 { font-size: 1.35rem; margin: 0 0 .75rem; }
code { font: .92em ui-monospace, monospace; padding: .1em .35em; border: 1px solid var(--line); border-radius: 4px; white-space: nowrap; }
form { display: flex; gap: .5rem; margin-top: 1.5rem; flex-wrap: wrap; }
label { width: 100%; font-size: .875rem; opacity: .75; }
input { flex: 1; min-width: 12rem; font: inherit; padding: .5rem .7rem; border: 1px solid var(--line); border-radius: 6px; background: transparent; color: inherit; }
button { font: inherit; padding: .5rem 1.1rem; border: 0; border-radius: 6px; background: var(--accent); color: Canvas; font-weight: 600; cursor: pointer; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.error { color: #b91c1c; }
@media (prefers-color-scheme: dark) { .error { color: #fca5a5; } }
`;

const escapeHtml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

const page = (title: string, body: string, head = ''): string =>
  `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title><link rel="icon" href="/favicon.svg" type="image/svg+xml">${head}<style>${PLAIN_PAGE_STYLE}</style></head>
<body><main><h1>${escapeHtml(title)}</h1>
${body}
</main></body></html>
`;

const KEY_FORM = `<form method="post" action="/signin">
<label for="key">Or paste the API key, which is in <code>DATA_DIR/api-key</code></label>
<input id="key" name="key" type="password" autocomplete="off" required spellcheck="false">
<button>Sign in</button></form>`;

const NEW_LINK = `<p>Get a new link on the machine that Earshot runs on: <code>npm run signin</code> prints one.
Each link signs in once, within 24 hours.</p>`;

export const signinPage = (): string =>
  page(
    'Sign in to Earshot',
    `<p>Open the link that <code>npm start</code> printed when Earshot was ready. It signs this browser in for 12 hours.</p>
${NEW_LINK}${KEY_FORM}`,
  );

export const notFoundPage = (): string =>
  page('There is nothing here', '<p>The address is not one of Earshot. <a href="/">To the calls</a></p>');

export const linkUsedPage = (): string =>
  page(
    'This sign-in link does not work any more',
    `<p class="error">It was used already, or is older than 24 hours.</p>${NEW_LINK}${KEY_FORM}`,
  );

export const wrongKeyPage = (): string =>
  page(
    'That is not the key',
    `<p class="error">The key that was pasted is not the API key of this server.</p>${NEW_LINK}${KEY_FORM}`,
  );

export const tooManyTriesPage = (seconds: number): string =>
  page('Too many tries', `<p class="error">Wait ${seconds} seconds, then try again.</p>${KEY_FORM}`);

export const notBuiltPage = (): string =>
  page(
    'The dashboard is not built yet',
    `<p>Build it with <code>npx vite build dashboard</code>, or start Earshot with <code>npm start</code>, which does.
The API works without it: see <a href="/openapi.json">/openapi.json</a>.</p>`,
  );

/**
 * A navigation that another site began does not carry our SameSite=Strict cookie, not even after our own redirect. This
 * page loads the same address once more, now from our own site.
 */
export const sameSitePage = (): string =>
  page('Opening Earshot…', '<p>One moment.</p>', '<meta http-equiv="refresh" content="0">');
