// Runs in a pod's network: `node inspect.ts PID FAILPOINT NTH`. Kills the process, whose inspector listens there, while it stands at that failpoint.
// Node opens its inspector at SIGUSR1, so that this needs no setting of the pod. It lasts as long as we do: when we end, nothing is armed any more.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { conditionOf, INSPECTOR_PORT, lineOf } from './breakpoint.ts';

interface Answer {
  readonly id?: number;
  readonly error?: { readonly message: string };
  readonly method?: string;
}

const [pid = '', name = '', nth = '1'] = process.argv.slice(2);
const source = readFileSync(join(import.meta.dirname, '../../process/failpoint.ts'), 'utf8');

const targets = await fetch(`http://127.0.0.1:${INSPECTOR_PORT}/json/list`);
const [target] = (await targets.json()) as { readonly webSocketDebuggerUrl: string }[];
if (!target) throw new Error('nothing to inspect');
const socket = new WebSocket(target.webSocketDebuggerUrl);
let asked = 0;
const answers = new Map<number, (error: string | undefined) => void>();
socket.onmessage = ({ data }) => {
  const { id, error, method } = JSON.parse(String(data)) as Answer;
  // From outside: a process that kills itself says goodbye to its debugger first.
  if (method === 'Debugger.paused') {
    process.kill(Number(pid), 'SIGKILL');
    process.exit(0);
  }
  if (id !== undefined) answers.get(id)?.(error?.message);
};
const ask = (method: string, params: object = {}): Promise<void> =>
  new Promise((resolve, reject) => {
    answers.set(++asked, (error) => (error ? reject(new Error(`${method}: ${error}`)) : resolve()));
    socket.send(JSON.stringify({ id: asked, method, params }));
  });
await new Promise((resolve, reject) => {
  socket.onopen = resolve;
  socket.onerror = () => reject(new Error('the inspector does not answer'));
});
socket.onclose = () => process.exit(0);
await ask('Debugger.enable');
await ask('Debugger.setBreakpointByUrl', {
  lineNumber: lineOf(source),
  urlRegex: '/process/failpoint\\.ts$',
  condition: conditionOf(name, Number(nth)),
});
console.log('armed');
