import { podOf, roleOf } from './processes.ts';

test.each([
  ['/usr/local/bin/node /app/cli/main.ts delivery', 'delivery'],
  ['/usr/local/bin/node --max-semi-space-size=4 /app/cli/main.ts egress', 'egress'],
  ['/nats-server --config /etc/nats/nats.conf', 'nats'],
  ['postgres -D /var/lib/postgresql/data -c x=y', 'postgres'],
  ['postgres: checkpointer', undefined],
  ['/usr/local/bin/node /app/cli/main.ts account list', undefined],
  ['/pause', undefined],
])('%s is %s', (command, role) => {
  expect(roleOf(command.split(' '))).toBe(role);
});

test('a pod says its own name before the host does', () => {
  expect(podOf(['HOSTNAME=vm', 'POSTFLEET_POD_NAME=demo-egress-x'])).toBe('demo-egress-x');
  expect(podOf(['HOSTNAME=postfleet-nats-0'])).toBe('postfleet-nats-0');
  expect(podOf([])).toBe('');
});
