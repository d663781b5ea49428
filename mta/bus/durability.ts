// Is the server we are connected to as durable as the profile says? NATS acknowledges before it syncs by default, and a
// 250 that rests on such an acknowledgement is a lie (docs/hand-overs.md). So every connect asks the server itself.
import { readFileSync } from 'node:fs';
import { Agent, fetch } from 'undici';
import { z } from 'zod';

const jszSchema = z.object({
  server_id: z.string(),
  config: z.object({ sync_always: z.boolean().default(false) }).optional(),
  meta_cluster: z.object({ cluster_size: z.int() }).optional(),
});
export type ServerReport = z.infer<typeof jszSchema>;

export interface Profile {
  /** Replicas of every stream: 3, or 1 for the small profile. */
  readonly replicas: number;
}

/** What is wrong with a server for mail, in words for people, or null. Pure. */
export function durabilityObstacle(report: ServerReport, serverId: string, profile: Profile): string | null {
  if (report.server_id !== serverId)
    return `the monitoring endpoint answers for another server (${report.server_id})`;
  if (!report.config) return 'JetStream is not enabled on the server';
  if (!report.config.sync_always) return 'the server acknowledges before it syncs: set sync_interval: always';
  const servers = report.meta_cluster?.cluster_size ?? 1;
  if (servers < profile.replicas)
    return `${servers} NATS server(s), but the profile promises ${profile.replicas} replicas`;
  return null;
}

/** Asks the monitoring endpoint at `url` (…/jsz is added) for its report; `caFile` verifies HTTPS. */
export async function readServerReport(url: string, caFile: string | null): Promise<ServerReport> {
  // The certificate is checked against our own authority; host names of pods behind `{host}` stand in it as SANs.
  const dispatcher = new Agent({ connect: caFile ? { ca: readFileSync(caFile) } : {} });
  try {
    const response = await fetch(`${url}/jsz?config=true`, { dispatcher, signal: AbortSignal.timeout(5000) });
    return jszSchema.parse(await response.json());
  } finally {
    await dispatcher.close();
  }
}
