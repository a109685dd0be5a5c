import { runDemo } from './src/demo.ts';

/** A terminal's Ctrl-C can reach us twice: from the terminal, and again through npm. */
const SAME_KEY_PRESS_MS = 500;

process.exitCode = await runDemo(process.argv.slice(2), {
  environment: process.env,
  isTerminal: process.stdout.isTTY,
  print: (text) => process.stdout.write(text),
  printError: (text) => process.stderr.write(text),
  onInterrupt: (callback) => {
    let firstMs: number | undefined;
    const interrupt = () => {
      const nowMs = performance.now();
      if (firstMs === undefined) {
        firstMs = nowMs;
        callback();
      } else if (nowMs - firstMs > SAME_KEY_PRESS_MS) {
        process.exit(130);
      }
    };
    process.on('SIGINT', interrupt);
    process.on('SIGTERM', interrupt);
    return () => {
      process.off('SIGINT', interrupt);
      process.off('SIGTERM', interrupt);
    };
  },
});
