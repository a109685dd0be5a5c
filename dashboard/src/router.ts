import { useEffect, useState } from 'preact/hooks';

export type Route =
  { readonly page: 'calls'; readonly q: string } | { readonly page: 'call'; readonly id: string };

/** @param search the query of the address, with or without its question mark */
export function routeOf(path: string, search = ''): Route {
  const id = /^\/calls\/([^/]+)$/.exec(path)?.[1];
  if (id === undefined) return { page: 'calls', q: new URLSearchParams(search).get('q') ?? '' };
  return { page: 'call', id: decoded(id) };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // Not what encodeURIComponent makes: no call has such an id, and the server will say so.
    return text;
  }
}

const MOVED = 'earshot-moved';
let followed = false;
/** Whether the reader came to this page by a link of ours, so that it did not load. */
export const cameByLink = (): boolean => followed;

/** Puts the search into the address of the page of calls, where Back finds it again. */
export function setSearch(q: string): void {
  history.replaceState(null, '', q === '' ? '/' : `/?${new URLSearchParams({ q }).toString()}`);
  dispatchEvent(new Event(MOVED));
}

export const callPath = (id: string): string => `/calls/${encodeURIComponent(id)}`;

/** The route, and links inside the page that do not load it again. */
export function useRoute(): Route {
  const [path, setPath] = useState(location.pathname + location.search);
  useEffect(() => {
    const moved = (): void => setPath(location.pathname + location.search);
    const clicked = (event: MouseEvent): void => {
      const link = (event.target as Element | null)?.closest('a');
      const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey;
      if (!link || !plain || link.origin !== location.origin || !link.hasAttribute('data-route')) return;
      event.preventDefault();
      followed = true;
      history.pushState(null, '', link.href);
      moved();
    };
    addEventListener('popstate', moved);
    addEventListener(MOVED, moved);
    addEventListener('click', clicked);
    return () => {
      removeEventListener('popstate', moved);
      removeEventListener(MOVED, moved);
      removeEventListener('click', clicked);
    };
  }, []);
  const [pathname = '/', search] = path.split('?');
  return routeOf(pathname, search);
}
