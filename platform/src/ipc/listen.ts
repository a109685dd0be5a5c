import { rmSync } from 'node:fs';
import net from 'node:net';
import { Connection, type ConnectionHandlers } from './connection.ts';

export interface Listener {
  /** Stops reading on all connections, so that the peers feel it, until resume(): for an arrow whose policy is to block. */
  pause(): void;
  resume(): void;
  close(): Promise<void>;
}

/**
 * The downstream end of an arrow. `accept` is called for each connection and returns its handlers.
 * A socket file left by a predecessor is removed: host starts one process for a path at a time.
 */
export function listen<In, Out>(
  path: string,
  accept: (connection: Connection<In, Out>) => ConnectionHandlers<In>,
): Promise<Listener> {
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
