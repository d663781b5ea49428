// The five roles of the one image. Each is imported only when it runs: delivery must not pay for the operator's memory.
import type { Command } from 'commander';

type Run = (env: NodeJS.ProcessEnv) => Promise<void>;

const ROLES: Record<string, { readonly does: string; readonly load: () => Promise<Run> }> = {
  ingress: {
    does: 'take mail by SMTP and HTTP',
    load: async () => (await import('../mta/ingress/main.ts')).runIngress,
  },
  delivery: {
    does: 'deliver the mail of a SendingPool',
    load: async () => (await import('../mta/delivery/main.ts')).runDelivery,
  },
  egress: {
    does: 'hold the addresses of an IPPool and connect from them',
    load: async () => (await import('../mta/egress/main.ts')).runEgress,
  },
  gateway: {
    does: 'migrate the database and manage accounts',
    load: async () => (await import('../gateway/main.ts')).runGateway,
  },
  operator: {
    does: 'turn resources into pods, and drain them',
    load: async () => (await import('../operator/main.ts')).runOperator,
  },
};

/** Adds a command per role; settings come from the environment (docs/architecture.md, Settings). */
export function registerRoles(program: Command): void {
  for (const [role, { does, load }] of Object.entries(ROLES)) {
    program
      .command(role)
      .summary(`role: ${does}`)
      .description(`Runs this pod as ${role}: ${does}. Settings come from the environment.`)
      .action(async () => (await load())(process.env));
  }
}
