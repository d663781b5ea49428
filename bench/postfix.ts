// The peer: Debian's Postfix with opendkim, signing RSA-2048, in folders of its own. Every domain has a transport to its sink,
// so that DNS plays no part.
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Child, freePorts, until } from '../e2e/rig/servers.ts';
import type { Contender } from './contender.ts';

/** Starts Postfix with opendkim; `routes` maps a recipient domain to its sink's address. */
export async function startPostfix(from: string, routes: ReadonlyMap<string, string>): Promise<Contender> {
  if (!existsSync('/usr/sbin/postfix') || !existsSync('/usr/sbin/opendkim')) {
    throw new Error('the bench compares with Postfix and opendkim: apt-get install postfix opendkim');
  }
  const folder = mkdtempSync(join(tmpdir(), 'postfleet-postfix-'));
  chmodSync(folder, 0o755);
  const [port = 0, milter = 0] = await freePorts(2);
  const opendkim = startOpendkim(folder, milter, from);
  writePostfixConfig(folder, port, milter, routes);
  const config = join(folder, 'etc');
  const postfix = new Child('/usr/sbin/postfix', ['-c', config, 'start-fg'], { name: 'postfix' });
  const masterPid = await until('Postfix', () => {
    if (!postfix.running) throw new Error(postfix.output);
    const file = join(folder, 'spool/pid/master.pid');
    return existsSync(file) ? Number(readFileSync(file, 'utf8')) : null;
  });
  return {
    name: 'Postfix with opendkim',
    load: { host: '127.0.0.1', port, from },
    empty: () => isEmpty(join(folder, 'spool')),
    pids: { postfix: masterPid, opendkim: opendkim.process.pid as number },
    async stop() {
      execFileSync('/usr/sbin/postfix', ['-c', config, 'stop'], { stdio: 'ignore' });
      await postfix.stop();
      await opendkim.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** No queue file in any queue. */
const isEmpty = (spool: string): boolean =>
  ['maildrop', 'incoming', 'active', 'deferred'].every((queue) =>
    readdirSync(join(spool, queue), { recursive: true, withFileTypes: true }).every(
      (entry) => !entry.isFile(),
    ),
  );

function startOpendkim(folder: string, port: number, from: string): Child {
  const key = join(folder, 'dkim.pem');
  execFileSync('openssl', ['genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048', '-out', key], {
    stdio: 'ignore',
  });
  execFileSync('openssl', ['rsa', '-traditional', '-in', key, '-out', key], { stdio: 'ignore' });
  const config = join(folder, 'opendkim.conf');
  const domain = from.split('@')[1];
  writeFileSync(
    config,
    `Domain ${domain}\nSelector pf1\nKeyFile ${key}\nSocket inet:${port}@127.0.0.1\nMode s\nCanonicalization relaxed/simple\nInternalHosts 127.0.0.0/8\nRequireSafeKeys no\nBackground no\nPidFile ${folder}/opendkim.pid\n`,
  );
  return new Child('/usr/sbin/opendkim', ['-f', '-x', config], { name: 'opendkim' });
}

function writePostfixConfig(
  folder: string,
  port: number,
  milter: number,
  routes: ReadonlyMap<string, string>,
): void {
  const etc = join(folder, 'etc');
  mkdirSync(etc);
  for (const sub of ['spool', 'data']) mkdirSync(join(folder, sub));
  execFileSync('chown', ['postfix:postfix', join(folder, 'data')]);
  for (const file of ['postfix-files', 'dynamicmaps.cf']) cpSync(`/etc/postfix/${file}`, join(etc, file));
  const master = readFileSync('/usr/share/postfix/master.cf.dist', 'utf8')
    .replace(/^smtp( +)inet(.*)$/m, `127.0.0.1:${port} inet$2`)
    // Debian's chroot needs a tree of files; this Postfix lives in a folder of its own.
    .replace(/^(\S+\s+\S+\s+\S+\s+\S+\s+)y(\s)/gm, '$1n$2');
  writeFileSync(join(etc, 'master.cf'), master);
  const transport = join(etc, 'transport');
  writeFileSync(transport, [...routes].map(([domain, address]) => `${domain} smtp:[${address}]`).join('\n'));
  writeFileSync(
    join(etc, 'main.cf'),
    `compatibility_level = 3.6
queue_directory = ${folder}/spool
data_directory = ${folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = bench.test
mydestination =
mynetworks = 127.0.0.0/8
transport_maps = texthash:${transport}
smtpd_milters = inet:127.0.0.1:${milter}
milter_default_action = tempfail
default_destination_concurrency_limit = 20
maillog_file = ${folder}/spool/mail.log
maillog_file_prefixes = ${folder}
`,
  );
}
