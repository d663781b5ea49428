// Where figures go: one JSON line each, so that runs can be compared by a program.
import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

export interface Figure {
  readonly figure: string;
  readonly value: number;
  readonly unit: string;
  readonly conditions: string;
}

/** Appends figures to bench/out/<file>.jsonl and prints them, under their conditions. */
export function recordFigures(file: string, figures: readonly Figure[]): void {
  const folder = join(import.meta.dirname, 'out');
  mkdirSync(folder, { recursive: true });
  let conditions = '';
  for (const figure of figures) {
    appendFileSync(join(folder, `${file}.jsonl`), `${JSON.stringify(figure)}\n`);
    if (figure.conditions !== conditions) console.log(figure.conditions);
    conditions = figure.conditions;
    console.log(`  ${figure.figure.padEnd(50)} ${String(figure.value).padStart(8)} ${figure.unit}`);
  }
}

/** Three significant digits. */
export const rounded = (value: number): number => Number(value.toPrecision(3));
