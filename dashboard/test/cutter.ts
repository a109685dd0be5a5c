import net from 'node:net';

export interface Cutter {
  readonly port: number;
  /** Cuts all connections that are open now; with `refuse`, new ones as well until `accept`. */
  cut(refuse?: boolean): void;
  accept(): void;
  stop(): Promise<void>;
}

/** A TCP relay in front of a server, which can be cut like a cable. */
export async function startCutter(target: number): Promise<Cutter> {
  const open = new Set<net.Socket>();
  let refusing = false;
  const server = net.createServer((near) => {
    if (refusing) {
      near.destroy();
      return;
    }
    const far = net.connect(target, '127.0.0.1');
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(one);
      one.pipe(other);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        open.delete(one);
        other.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = (): void => {
    for (const socket of open) socket.destroy();
  };
  return {
    port: (server.address() as net.AddressInfo).port,
    cut: (refuse = false) => {
      refusing = refuse;
      cut();
    },
    accept: () => (refusing = false),
    stop: async () => {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
