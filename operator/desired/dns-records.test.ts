import { dkimKeyFault, dkimRecord, newDkimKey } from './dkim-key.ts';
import { recordStatus, wantedRecords } from './dns-records.ts';
import { sampleDomain } from './samples.ts';

const rsa = await newDkimKey('RSA');
const ed = await newDkimKey('Ed25519');
const domain = sampleDomain({ dkim: [{ selector: 'pf1' }, { selector: 'pf2', algorithm: 'Ed25519' }] });
const keys = [
  { selector: 'pf1', pem: rsa },
  { selector: 'pf2', pem: ed },
];
const [rsaWanted, edWanted, spf, dmarc] = wantedRecords(domain, keys, ['192.0.2.1', '2001:db8::1']);
if (!rsaWanted || !edWanted || !spf || !dmarc) throw new Error('four records are wanted');

test('the records to publish', () => {
  expect(rsaWanted.name).toBe('pf1._domainkey.example.org');
  expect(rsaWanted.value).toMatch(/^v=DKIM1; k=rsa; p=MIIBI[A-Za-z0-9+/]+={0,2}$/);
  expect(edWanted.value).toMatch(/^v=DKIM1; k=ed25519; p=[A-Za-z0-9+/]{43}=$/);
  expect(spf).toMatchObject({ name: 'example.org', value: 'v=spf1 ip4:192.0.2.1 ip6:2001:db8::1 ~all' });
  expect(dmarc).toMatchObject({ name: '_dmarc.example.org', value: 'v=DMARC1; p=none' });
});

test('SPF belongs to the domain of the envelope sender', () => {
  const records = wantedRecords(sampleDomain({ returnPath: 'bounce.example.org' }), keys, []);
  expect(records.at(-2)?.name).toBe('bounce.example.org');
});

test.each([
  ['cannot be asked', rsaWanted, null, 'Unknown'],
  ['nothing there', rsaWanted, [], 'No'],
  ['the key, folded and spaced', rsaWanted, [rsaWanted.value.replace('; p=', ';p= ')], 'Yes'],
  ['another key', rsaWanted, [dkimRecord(await newDkimKey('Ed25519'), 'Ed25519')], 'Different'],
  ['other texts beside SPF', spf, ['hello', spf.value], 'Yes'],
  ['a wider SPF record', spf, ['v=spf1 mx +ip4:192.0.2.1 ip6:2001:DB8::1 -all'], 'Yes'],
  ['SPF without one address', spf, ['v=spf1 ip4:192.0.2.1 -all'], 'Different'],
  ['two SPF records', spf, [spf.value, 'v=spf1 -all'], 'Different'],
  ['a stricter DMARC policy', dmarc, ['v=DMARC1; p=reject'], 'Yes'],
])('seen: %s', (_, wanted, texts, seen) => expect(recordStatus(wanted, texts).seen).toBe(seen));

test('a given key must be of its algorithm', () => {
  expect(dkimKeyFault(rsa, 'RSA')).toBeNull();
  expect(dkimKeyFault(ed, 'Ed25519')).toBeNull();
  expect(dkimKeyFault(ed, 'RSA')).toContain('ed25519 key');
  expect(dkimKeyFault('nonsense', 'RSA')).toContain('no private key');
});
