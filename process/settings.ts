// Settings come from the environment, are read once at start, and are all checked before anything runs.
import { z } from 'zod';

/** Thrown when settings are missing or wrong; the message names all of them. The process ends with 1. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
}

/**
 * Reads settings from `env` by a zod object schema whose keys are the variable names.
 * @throws SettingsError naming every missing or wrong variable at once.
 */
export function readSettings<S extends z.ZodObject>(
  schema: S,
  env: NodeJS.ProcessEnv = process.env,
): z.infer<S> {
  const given = Object.fromEntries(
    Object.keys(schema.shape).map((key) => [key, env[key] === '' ? undefined : env[key]]),
  );
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  const lines = result.error.issues.map((issue) => {
    const variable = String(issue.path[0]);
    return given[variable] === undefined
      ? `  ${variable} is not set`
      : `  ${variable}="${given[variable]}": ${issue.message}`;
  });
  throw new SettingsError(`settings are missing or wrong:\n${lines.join('\n')}`);
}

export const port = (preset: number) => z.coerce.number().int().min(1).max(65_535).default(preset);
/** A comma-separated list; empty parts are dropped. */
export const list = (preset = '') =>
  z
    .string()
    .default(preset)
    .transform((text) =>
      text
        .split(',')
        .map((part) => part.trim())
        .filter(Boolean),
    );

/** What every role needs. */
export const commonSettings = {
  POSTFLEET_NAMESPACE: z.string().min(1),
  POSTFLEET_POD_NAME: z.string().min(1),
  POSTFLEET_POD_UID: z.string().min(1),
  POSTFLEET_NODE_NAME: z.string().default('local'),
  /** Folder with tls.crt, tls.key and ca.crt of this pod (PEM). */
  POSTFLEET_IDENTITY_DIR: z.string().min(1),
  /** Where to have a certificate made; absent: the folder already holds one (tests, bench). */
  POSTFLEET_IDENTITY_URL: z.url().optional(),
  POSTFLEET_IDENTITY_TOKEN_FILE: z.string().default('/var/run/secrets/postfleet/token'),
  POSTFLEET_IDENTITY_CA_FILE: z.string().default('/var/run/postfleet-ca/ca.crt'),
  POSTFLEET_METRICS_PORT: port(9090),
};

export const natsSettings = {
  POSTFLEET_NATS_URL: list().refine((urls) => urls.length > 0, 'name at least one server'),
  /** Replicas that the profile promises: 3, or 1 for the small profile. */
  POSTFLEET_NATS_REPLICAS: z.coerce.number().int().min(1).max(5).default(3),
  /** Monitoring endpoint of the connected server; `{host}` is its host. */
  POSTFLEET_NATS_MONITOR_URL: z.string().default('https://{host}:8222'),
};
