// `make warmup-simulation`: 60 days of warm-up in virtual time, judged, and drawn into docs/warmup.svg.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { draw } from './draw.ts';
import { simulate } from './fleet.ts';
import { SHIPPED } from './options.ts';
import { judge } from './verdict.ts';

const tracks = simulate(SHIPPED);
const verdict = judge(tracks);
const file = join(import.meta.dirname, '../../docs/warmup.svg');
writeFileSync(file, draw(tracks, verdict, SHIPPED.addresses));
console.log(JSON.stringify(verdict, null, 2));
if (verdict.overspent > 0 || verdict.underspentBeyondSlices > 0) process.exit(1);
