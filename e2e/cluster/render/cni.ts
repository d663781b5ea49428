import { podsOf } from '../addresses.ts';

/**
 * The pods' network of a node. Point-to-point links, not a bridge: every packet is routed, so that services work between two
 * pods of one node also where the kernel does not show bridged packets to iptables. No masquerading: all sides know
 * the way back, and a mail server sees which address really called. Pure.
 */
export function cniConfig(name: string, node: number, folder: string): string {
  return JSON.stringify({
    cniVersion: '0.4.0',
    name,
    plugins: [
      {
        type: 'ptp',
        ipMasq: false,
        ipam: {
          type: 'host-local',
          dataDir: `${folder}/ipam`,
          ranges: [[{ subnet: podsOf(node) }]],
          routes: [{ dst: '0.0.0.0/0' }],
        },
      },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  });
}
