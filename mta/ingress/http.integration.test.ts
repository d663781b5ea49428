import { dkimVerify } from 'mailauth/lib/dkim/verify.js';
import { addSuppressed } from '../../gateway/suppression.ts';
import { http, startTestbed, type Testbed } from './testbed.ts';

let bed: Testbed;
beforeAll(async () => {
  bed = await startTestbed();
}, 60_000);
afterAll(async () => {
  await bed?.stop();
}, 60_000);
beforeEach(() => bed.empty());

const message = (extra = '') =>
  `From: Ann <ann@send.example>\r\nTo: bob@x.example\r\nSubject: Hi\r\n${extra}\r\nHello\r\n`;
const from = 'ann@send.example';

async function verdicts(text: Buffer): Promise<string[]> {
  const { results } = await dkimVerify(text, { resolver: bed.resolver as never });
  return results.map(({ status }) => String(status.result));
}

describe('HTTP', () => {
  const json = { 'content-type': 'application/json' };
  const post = (body: unknown, headers: Record<string, string> = {}) =>
    http(
      bed.ingress.ports.http,
      typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body),
      {
        authorization: `Bearer ${bed.token}`,
        ...json,
        ...headers,
      },
    );
  const mail = {
    from: 'Ann <ann@send.example>',
    to: ['bob@x.example'],
    subject: 'Grüße',
    text: 'Hallo Köln',
  };

  test('a message with everything is built, signed and stored', async () => {
    const answer = await post({
      ...mail,
      cc: { address: 'c@x.example', name: 'Zoë' },
      bcc: 'hidden@x.example, gone2@x.example, not an address',
      html: '<img src="cid:logo">',
      headers: { 'X-Campaign': 'spring' },
      attachments: [
        { filename: 'logo.png', content: Buffer.from('png').toString('base64'), cid: 'logo' },
        { filename: 'Bücher.txt', contentType: 'text/plain', content: Buffer.from('x').toString('base64') },
      ],
      priorityClass: 'bulk',
      engaged: true,
    });
    expect(answer).toMatchObject({
      status: 202,
      json: {
        accepted: ['bob@x.example', 'c@x.example', 'hidden@x.example', 'gone2@x.example'],
        refused: [{ address: 'not an address', status: '5.1.3' }],
      },
    });
    const [parcel] = await bed.parcels();
    expect(parcel).toMatchObject({ id: answer.json.id, priorityClass: 'bulk', engaged: true, from });
    const text = parcel?.message.toString() ?? '';
    expect(text).toContain('X-Campaign: spring');
    expect(text).not.toMatch(/hidden@x\.example|gone2@x\.example/);
    expect(text).toMatch(/with HTTPS id/);
    expect(await verdicts(parcel?.message ?? Buffer.alloc(0))).toEqual(['pass', 'pass']);
  });

  test('a message as text takes its envelope from header fields, or from its own header', async () => {
    const raw = { 'content-type': 'message/rfc822' };
    const named = await post(message(), {
      ...raw,
      'postfleet-from': '<>',
      'postfleet-to': 'x@x.example, y@x.example',
    });
    expect(named).toMatchObject({ status: 202, json: { accepted: ['x@x.example', 'y@x.example'] } });
    const own = await post(message('Bcc: z@x.example\r\n'), raw);
    expect(own).toMatchObject({ status: 202, json: { accepted: ['bob@x.example', 'z@x.example'] } });
    const parcels = await bed.parcels();
    expect(parcels.map(({ from: sender }) => sender).sort()).toEqual(['', from]);
    for (const { message: text } of parcels) expect(text.toString()).not.toMatch(/\nBcc:/);
  });

  test('the same Idempotency-Key gives the same parcel, stored once', async () => {
    const key = { 'idempotency-key': 'order-1' };
    const first = await post(mail, key);
    const again = await post(mail, key);
    expect(again).toMatchObject({ status: 202, json: { id: first.json.id } });
    expect(await bed.parcels()).toHaveLength(1);
    expect((await post(mail)).json.id).not.toBe(first.json.id);
    expect(await post({ ...mail, text: 'another message' }, key)).toMatchObject({
      status: 422,
      json: { type: expect.stringContaining('key-reused') },
    });
  });

  test('a suppressed recipient is refused by name, and all of them make a 422', async () => {
    await addSuppressed(bed.database, 'acme', ['gone3@x.example']);
    expect(await post({ ...mail, to: ['gone3@x.example', 'bob@x.example'] })).toMatchObject({
      status: 202,
      json: { accepted: ['bob@x.example'], refused: [{ address: 'gone3@x.example', status: '5.7.1' }] },
    });
    expect(await post({ ...mail, to: 'gone3@x.example' })).toMatchObject({
      status: 422,
      json: { errors: [{ address: 'gone3@x.example' }] },
    });
  });

  test.each([
    ['broken JSON', 400, '{"from":', {}],
    ['a wrong type', 400, { ...mail, subject: 1 }, {}],
    ['an unknown property', 400, { ...mail, tо: 'x' }, {}],
    ['prototype pollution', 400, '{"__proto__": {"x": 1}, "from": "a@send.example"}', {}],
    ['a header with a line break', 400, { ...mail, headers: { 'X-A': 'a\r\nBcc: b@x.example' } }, {}],
    ['a header that is not theirs', 400, { ...mail, headers: { 'DKIM-Signature': 'x' } }, {}],
    ['a subject with a line break', 400, { ...mail, subject: 'a\r\nBcc: x@x.example' }, {}],
    ['content that is no base64', 400, { ...mail, attachments: [{ filename: 'a', content: '***' }] }, {}],
    ['an empty key', 400, mail, { 'idempotency-key': '' }],
    ['no key', 401, mail, { authorization: '' }],
    ['a wrong key', 401, mail, { authorization: `Bearer pf_000000000000_${'0'.repeat(64)}` }],
    ['an unknown domain', 403, { ...mail, from: 'a@nowhere.example' }, {}],
    ['too large', 413, { ...mail, text: 'x'.repeat(800_000) }, {}],
    ['too large when built', 413, { ...mail, text: 'é'.repeat(250_000) }, {}],
    ['another content type', 415, 'x', { 'content-type': 'text/csv' }],
    ['no recipient', 422, { ...mail, to: [] }, {}],
    ['a bad sender', 422, { ...mail, from: 'nobody' }, {}],
    ['two senders', 422, { ...mail, from: 'a@send.example, b@send.example' }, {}],
    ['an unknown class', 422, { ...mail, priorityClass: 'urgent' }, {}],
    [
      'too many recipients',
      422,
      {
        ...mail,
        to: Array.from({ length: 600 }, (_, i) => `u${i}@x.example`),
        cc: Array.from({ length: 600 }, (_, i) => `v${i}@x.example`),
      },
      {},
    ],
  ])('%s is a problem of status %i', async (_, status, body, headers) => {
    const answer = await post(body, headers);
    expect(answer.status).toBe(status);
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(answer.json).toMatchObject({
      status,
      title: expect.any(String),
      detail: expect.any(String),
      type: expect.stringMatching(/^https:/),
    });
    expect(await bed.parcels()).toEqual([]);
  });

  test('another path is 404 and another method 405, as problems', async () => {
    expect(await http(bed.ingress.ports.http, '', {}, ['GET', '/'])).toMatchObject({
      status: 404,
      json: { status: 404 },
    });
    expect(await http(bed.ingress.ports.http, '', {}, ['GET', '/v1/messages'])).toMatchObject({
      status: 405,
    });
  });
});
