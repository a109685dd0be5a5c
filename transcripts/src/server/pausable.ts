import { rmSync } from 'node:fs';
import net from 'node:net';
import { Connection, type ConnectionHandlers, type Listener } from '@earshot/platform';

export interface PausableListener extends Listener {
  /** Stops reading on all connections, so that the peers feel it, until resume(). */
  pause(): void;
  resume(): void;
}

/** As platform's listen, for an arrow whose policy is to block. */
export function listenPausable<In, Out>(
  path: string,
  accept: (connection: Connection<In, Out>) => ConnectionHandlers<In>,
): Promise<PausableListener> {
  rmSync(path, { force: true });
  const open = new Set<net.Socket>();
  let paused = false;
  const server = net.createServer((socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    let handlers: ConnectionHandlers<In> | null = null;
    const connection = new Connection<In, Out>(socket, {
      message: (message, body) => handlers?.message(message, body),
      close: (error) => handlers?.close(error),
    });
    handlers = accept(connection);
    if (paused) socket.pause();
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.off('error', reject);
      resolve({
        pause() {
          paused = true;
          for (const socket of open) socket.pause();
        },
        resume() {
          paused = false;
          for (const socket of open) socket.resume();
        },
        close: () =>
          new Promise((done) => {
            server.close(() => done());
            for (const socket of open) socket.resume().end();
          }),
      });
    });
  });
}
