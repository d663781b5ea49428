/// <reference lib="esnext.temporal" />
// Calendar days in an IANA time zone. A day has 23, 25 or any other number of hours when clocks change, and some zones skip
// midnight; Temporal knows them all, so a day here is exactly what the calendar on the wall says.

/** A calendar day, `YYYY-MM-DD`; compares as text. */
export type Day = string;

export interface DayBounds {
  readonly day: Day;
  /** The first millisecond since the epoch that is no longer this day. */
  readonly endsAt: number;
}

/**
 * The calendar day at `now` (ms since the epoch).
 * @throws RangeError for an unknown time zone.
 */
export function dayAt(now: number, timeZone: string): DayBounds {
  const there = Temporal.Instant.fromEpochMilliseconds(Math.floor(now)).toZonedDateTimeISO(timeZone);
  const date = there.toPlainDate();
  return { day: date.toString(), endsAt: date.add({ days: 1 }).toZonedDateTime(timeZone).epochMilliseconds };
}

/** Calendar days from `from` to `to`; negative when `to` is earlier. */
export function daysBetween(from: Day, to: Day): number {
  return Temporal.PlainDate.from(from).until(to, { largestUnit: 'days' }).days;
}

export function addDays(day: Day, days: number): Day {
  return Temporal.PlainDate.from(day).add({ days }).toString();
}
