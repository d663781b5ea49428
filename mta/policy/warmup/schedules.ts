// The schedules that hold when an IPPool states none. The providers publish the direction, not numbers: begin low, to those who
// want the mail most, rise slowly and watch (Google, https://support.google.com/a/answer/81126: "increase the sending volume
// slowly"; Yahoo, https://senders.yahooinc.com/best-practices/; Microsoft, https://sendersupport.olc.protection.outlook.com/pm/).
// The numbers follow what large senders publish: Amazon SES takes 45 days to 50,000 a day for one address over all providers and
// says that some need 2 and many 6 weeks (https://docs.aws.amazon.com/ses/latest/dg/dedicated-ip-warming.html), Twilio SendGrid
// raises by at most 40 % a day (https://www.twilio.com/docs/sendgrid/concepts/reputation/warm-up-ip-addresses), iPost doubles only
// below 50,000 and rises by half at most above (https://emaildocs.engagednation.com/best-practices/domain-reputation).
// Microsoft's consumer mail judges new addresses hardest: half the pace. No step here more than doubles.
import type { Schedule } from './schedule.ts';

const steps = (...pairs: readonly (readonly [day: number, perDay: number | null])[]): Schedule =>
  pairs.map(([day, perDay]) => ({ day, perDay }));

const MICROSOFT = steps(
  [1, 100],
  [2, 200],
  [4, 400],
  [7, 800],
  [10, 1_500],
  [13, 2_500],
  [17, 5_000],
  [21, 10_000],
  [26, 20_000],
  [31, 35_000],
  [36, 50_000],
  [40, 70_000],
  [45, null],
);

/** By provider name (providers.ts). */
export const SHIPPED_SCHEDULES: Readonly<Record<string, Schedule>> = {
  google: steps(
    [1, 200],
    [2, 400],
    [4, 800],
    [6, 1_500],
    [8, 3_000],
    [11, 5_000],
    [14, 10_000],
    [18, 20_000],
    [22, 40_000],
    [26, 60_000],
    [30, 90_000],
    [34, 130_000],
    [38, 180_000],
    [43, null],
  ),
  yahoo: steps(
    [1, 200],
    [2, 400],
    [4, 800],
    [7, 1_500],
    [10, 3_000],
    [14, 6_000],
    [18, 12_000],
    [22, 24_000],
    [26, 40_000],
    [30, 60_000],
    [35, 90_000],
    [39, 120_000],
    [44, null],
  ),
  microsoft: MICROSOFT,
  'microsoft-365': MICROSOFT,
  apple: steps(
    [1, 100],
    [2, 200],
    [4, 400],
    [7, 800],
    [10, 1_500],
    [14, 3_000],
    [18, 6_000],
    [23, 12_000],
    [28, 20_000],
    [33, 30_000],
    [38, 40_000],
    [43, null],
  ),
};

/** For a provider without a schedule of its own: smaller hosts see less mail and judge by less. */
export const DEFAULT_SCHEDULE: Schedule = steps(
  [1, 50],
  [3, 100],
  [5, 200],
  [8, 400],
  [11, 800],
  [15, 1_500],
  [19, 3_000],
  [23, 6_000],
  [28, 10_000],
  [33, 20_000],
  [38, null],
);

/** The schedule for a provider: the IPPool's own, else the shipped one, else the default. */
export function scheduleFor(provider: string, own: Readonly<Record<string, Schedule>> = {}): Schedule {
  const pick = (from: Readonly<Record<string, Schedule>>) =>
    Object.hasOwn(from, provider) ? from[provider] : undefined;
  const found = pick(own) ?? pick(SHIPPED_SCHEDULES) ?? DEFAULT_SCHEDULE;
  return found.toSorted((a, b) => a.day - b.day);
}
