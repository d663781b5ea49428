// The rows of docs/crash-points.md: what each crash comes to is written there, and the walk holds the fleet to it.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Row {
  readonly point: string;
  /** The last two cells: of mail copies and counted repeats, of a drain replicas and moves. */
  readonly numbers: readonly number[];
}

const PAGE = join(import.meta.dirname, '../../docs/crash-points.md');

/** Every row whose first cell is a name in backticks. */
export function readRows(page = readFileSync(PAGE, 'utf8')): readonly Row[] {
  return page
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .filter(([, point, , , ...numbers]) => /^`[^`]+`$/.test(point ?? '') && numbers.length === 3)
    .map(([, point = '', , , ...numbers]) => ({
      point: point.slice(1, -1),
      numbers: numbers.slice(0, 2).map((cell) => count(cell, point)),
    }));
}

function count(cell: string, point: string): number {
  const text = cell.replaceAll('*', '');
  if (!/^\d+$/.test(text)) throw new Error(`docs/crash-points.md, ${point}: "${cell}" is no number`);
  return Number(text);
}

/** The tests that rows without a failpoint name: `file` › title. */
export function readTests(page = readFileSync(PAGE, 'utf8')): readonly { file: string; title: string }[] {
  const cells = page.matchAll(/\| `([\w./-]+)` › (.+?) \|$/gm);
  return [...cells].map(([, file = '', title = '']) => ({ file, title }));
}
