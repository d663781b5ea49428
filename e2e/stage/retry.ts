/**
 * For a QueuePolicy: comes back right after the world's mail servers take what they put off, which is after 8, 10 and 15 s. The samples
 * come back after 5, 15 and 35 s, and each run that waits for every fate would wait for the last of these.
 */
export const PROMPT_RETRY = { intervals: ['5s', '7s', '6s', '10s'], maxAge: '10m' } as const;
