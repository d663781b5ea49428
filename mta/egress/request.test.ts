import { parseConnect } from './request.ts';

const headers = {
  'postfleet-source': '198.51.100.10',
  'postfleet-domain': 'Example.COM',
  'postfleet-epochs': '0:3, 4:1',
};

test('reads host, port, source, domain and epochs', () => {
  expect(parseConnect('MX1.example.com.:25', headers)).toEqual({
    host: 'mx1.example.com',
    port: 25,
    source: '198.51.100.10',
    domain: 'example.com',
    epochs: new Map([
      [0, 3],
      [4, 1],
    ]),
    account: '',
    recipients: null,
  });
  expect(parseConnect('[2606:4700::1]:25', headers).host).toBe('2606:4700::1');
  expect(parseConnect('192.0.2.1:25', { ...headers, 'postfleet-epochs': '' }).epochs.size).toBe(0);
});

test('who says how many recipients it has reports outcomes; callers of the release before say neither', () => {
  const more = { ...headers, 'postfleet-account': 'acme%20inc', 'postfleet-recipients': '12' };
  expect(parseConnect('mx:25', more)).toMatchObject({ account: 'acme%20inc', recipients: 12 });
});

test.each([
  ['no port', 'mx1.example.com', headers],
  ['an empty host', ':25', headers],
  ['IPv6 without brackets', '2606:4700::1:25', headers],
  ['a name in brackets', '[mx1.example.com]:25', headers],
  ['a path', '/v1/fence', headers],
  ['a source that is no address', 'mx:25', { ...headers, 'postfleet-source': 'mx' }],
  ['no source', 'mx:25', { ...headers, 'postfleet-source': undefined }],
  ['no domain', 'mx:25', { ...headers, 'postfleet-domain': undefined }],
  ['a line end in the domain', 'mx:25', { ...headers, 'postfleet-domain': 'a\r\nb' }],
  ['no epochs', 'mx:25', { ...headers, 'postfleet-epochs': undefined }],
  ['negative epochs', 'mx:25', { ...headers, 'postfleet-epochs': '0:-1' }],
  ['recipients that are no number', 'mx:25', { ...headers, 'postfleet-recipients': 'many' }],
  ['epochs without shard', 'mx:25', { ...headers, 'postfleet-epochs': '7' }],
])('refuses %s', (_what, authority, given) => {
  expect(() => parseConnect(authority, given)).toThrow(
    expect.objectContaining({ reason: 'BadRequest', status: 400 }),
  );
});
