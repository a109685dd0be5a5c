import { useEffect, useState } from 'preact/hooks';

export type Route = { readonly page: 'calls' } | { readonly page: 'call'; readonly id: string };

export function routeOf(path: string): Route {
  const id = /^\/calls\/([^/]+)$/.exec(path)?.[1];
  return id === undefined ? { page: 'calls' } : { page: 'call', id: decodeURIComponent(id) };
}

export const callPath = (id: string): string => `/calls/${encodeURIComponent(id)}`;

/** The route, and links inside the page that do not load it again. */
export function useRoute(): Route {
  const [path, setPath] = useState(location.pathname);
  useEffect(() => {
    const moved = (): void => setPath(location.pathname);
    const clicked = (event: MouseEvent): void => {
      const link = (event.target as Element | null)?.closest('a');
      const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey;
      if (!link || !plain || link.origin !== location.origin || !link.hasAttribute('data-route')) return;
      event.preventDefault();
      history.pushState(null, '', link.href);
      moved();
    };
    addEventListener('popstate', moved);
    addEventListener('click', clicked);
    return () => {
      removeEventListener('popstate', moved);
      removeEventListener('click', clicked);
    };
  }, []);
  return routeOf(path);
}
