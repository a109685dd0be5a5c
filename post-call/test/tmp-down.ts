import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { ownPostgres } from '../../host/test/postgres.ts';
import { migrated, makeFolder } from './harness.ts';
const pg = await ownPostgres();
await migrated(pg.url);
const folder = await makeFolder();
const env = {
  ...process.env,
  DATABASE_URL: pg.url,
  DATA_DIR: folder,
  EARSHOT_RUN_DIR: folder,
  LOG_LEVEL: 'warn',
};
const p = spawn(process.execPath, [`/work/main/post-call/main.ts`], { env, stdio: 'pipe' });
let lines = 0;
p.stdout.on('data', (d) => {
  lines += String(d).split('\n').length - 1;
});
const cpu = () => {
  const f = readFileSync(`/proc/${p.pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(f[11]) + Number(f[12])) / 100;
};
const wait = (ms: number) => new Promise((r) => setTimeout(r, ms));
await wait(4000);
let c = cpu();
await wait(5000);
console.log('idle cpu share', (cpu() - c) / 5, 'lines', lines);
await pg.stop();
await wait(1000);
c = cpu();
lines = 0;
await wait(10000);
console.log('down cpu share', (cpu() - c) / 10, 'lines', lines);
p.kill('SIGKILL');
await pg.remove();
process.exit(0);
