import fc from 'fast-check';
import { classifyReply, enhancedStatus, type Phase } from './reply.ts';

const classify = (phase: Phase, code: number | null, text: string, enhanced: string | null = null) => {
  const verdict = classifyReply({ code, text, enhanced, phase });
  return [verdict.kind, 'scope' in verdict ? verdict.scope : null, 'class' in verdict ? verdict.class : null];
};

test.each<[Phase, number | null, string, ReturnType<typeof classify>]>([
  // What goes well.
  ['dot', 250, '2.0.0 Ok: queued', ['delivered', null, null]],
  ['rcpt', 250, '2.1.5 Ok', ['proceed', null, null]],
  ['rcpt', 251, 'User not local; will forward', ['proceed', null, null]],
  ['data', 354, 'End data with <CR><LF>.<CR><LF>', ['proceed', null, null]],
  ['dot', 354, 'a second one is no acceptance', ['proceed', null, null]],
  // Nothing came.
  ['dot', null, '', ['deferred', 'connection', 'connection-lost']],
  ['rcpt', 999, 'no SMTP reply', ['deferred', 'connection', 'protocol-error']],
  // 421 ends the connection, wherever it comes.
  [
    'greeting',
    421,
    'mx.example.net too busy, try again later',
    ['deferred', 'connection', 'service-unavailable'],
  ],
  ['rcpt', 421, '4.3.2 System shutting down', ['deferred', 'connection', 'service-unavailable']],
  [
    'dot',
    421,
    '4.7.28 Our system has detected an unusual rate of unsolicited mail',
    ['deferred', 'provider', 'rate-limited'],
  ],
  [
    'greeting',
    421,
    '4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred',
    ['deferred', 'provider', 'rate-limited'],
  ],
  [
    'mail',
    421,
    'RP-001 The mail server IP has exceeded the rate limit allowed',
    ['deferred', 'provider', 'rate-limited'],
  ],
  // Permanent codes before a recipient was named: not the recipient's fault.
  ['greeting', 554, 'No SMTP service here', ['deferred', 'connection', 'service-unavailable']],
  ['ehlo', 550, 'bad HELO name', ['deferred', 'connection', 'service-unavailable']],
  ['ehlo', 502, 'Command not implemented', ['deferred', 'connection', 'protocol-error']],
  ['starttls', 454, '4.7.0 TLS not available', ['deferred', 'connection', 'tls']],
  ['tls', 501, 'handshake', ['deferred', 'connection', 'tls']],
  [
    'greeting',
    554,
    '5.7.1 Service unavailable; client [192.0.2.1] blocked using zen.spamhaus.org',
    ['address-refused', null, 'source-blocked'],
  ],
  ['greeting', 450, '4.7.25 no PTR record for your address', ['address-refused', null, 'source-blocked']],
  // The recipient.
  ['rcpt', 550, '5.1.1 <x@example.net>: Recipient address rejected', ['bounced', null, 'no-such-mailbox']],
  ['rcpt', 550, 'No such user here', ['bounced', null, 'no-such-mailbox']],
  ['rcpt', 550, 'nope', ['bounced', null, 'no-such-mailbox']],
  ['rcpt', 550, '5.2.1 The email account is disabled', ['bounced', null, 'mailbox-disabled']],
  ['rcpt', 552, '5.2.2 Mailbox full', ['bounced', null, 'mailbox-full']],
  ['dot', 552, '5.2.2 over quota', ['bounced', null, 'mailbox-full']],
  ['dot', 554, '5.2.2 mailbox full', ['bounced', null, 'mailbox-full']],
  ['rcpt', 452, '4.2.2 over quota', ['deferred', 'recipient', 'mailbox-full']],
  ['rcpt', 450, '4.2.0 Greylisted, please come back', ['deferred', 'recipient', 'greylisted']],
  ['rcpt', 451, '4.7.1 Greylisting in action', ['deferred', 'recipient', 'greylisted']],
  ['rcpt', 452, '4.5.3 Too many recipients', ['deferred', 'recipient', 'protocol-error']],
  ['rcpt', 552, 'Too many recipients', ['deferred', 'recipient', 'mailbox-full']],
  ['rcpt', 550, '5.1.2 no such domain', ['bounced', null, 'no-such-domain']],
  ['rcpt', 554, 'Relay access denied', ['bounced', null, 'relay-denied']],
  // The message, and us.
  ['mail', 552, '5.3.4 Message size exceeds fixed limit', ['bounced', null, 'too-large']],
  ['mail', 550, 'sender rejected', ['bounced', null, 'sender-refused']],
  ['mail', 530, '5.7.0 Must issue a STARTTLS command first', ['deferred', 'recipient', 'tls']],
  ['dot', 550, '5.7.26 This mail is unauthenticated', ['bounced', null, 'authentication-failed']],
  ['dot', 550, '5.7.1 Message refused by policy', ['bounced', null, 'policy']],
  ['dot', 554, '5.7.1 Message identified as spam', ['bounced', null, 'content-refused']],
  [
    'rcpt',
    550,
    '5.7.1 Service unavailable, client host blocked using Spamhaus',
    ['bounced', null, 'source-blocked'],
  ],
  ['dot', 451, '4.3.0 Temporary lookup failure', ['deferred', 'recipient', 'service-unavailable']],
  // Rate limits in permanent clothes.
  [
    'dot',
    550,
    'Ip frequency limited. http://service.mail.qq.com/cgi-bin/help',
    ['deferred', 'provider', 'rate-limited'],
  ],
  ['mail', 550, 'Sender frequency limited', ['deferred', 'provider', 'rate-limited']],
  ['greeting', 550, 'Connection frequency limited', ['deferred', 'provider', 'rate-limited']],
  [
    'rcpt',
    550,
    '5.2.1 The user you are trying to contact is receiving mail at a rate that',
    ['deferred', 'provider', 'rate-limited'],
  ],
  ['dot', 451, '4.7.500 Server busy. Please try again later', ['deferred', 'provider', 'rate-limited']],
])('%s: %s %s', (phase, code, text, expected) => {
  expect(classify(phase, code, text)).toEqual(expected);
});

test.each([
  [{ enhanced: '5.1.1', text: '5.2.2 other' }, '5.1.1'],
  [{ enhanced: null, text: '5.2.2 Mailbox full' }, '5.2.2'],
  [{ enhanced: null, text: 'Mailbox 5.2.2 full' }, null],
  [{ enhanced: null, text: '3.2.2 none' }, null],
])('enhanced status of %j is %s', (reply, status) => {
  expect(enhancedStatus(reply)).toBe(status);
});

test('whatever a remote writes: only 2yz after the dot delivers, and nothing below 500 bounces', () => {
  const phase = fc.constantFrom<Phase>(
    'greeting',
    'ehlo',
    'starttls',
    'tls',
    'auth',
    'mail',
    'rcpt',
    'data',
    'dot',
  );
  fc.assert(
    fc.property(
      phase,
      fc.option(fc.integer({ min: 0, max: 999 }), { nil: null }),
      fc.string(),
      (at, code, text) => {
        const { kind } = classifyReply({ code, text, enhanced: null, phase: at });
        expect(kind === 'delivered').toBe(at === 'dot' && code !== null && code >= 200 && code < 300);
        if (kind === 'bounced') expect(code).toBeGreaterThanOrEqual(500);
        if (kind === 'bounced') expect(['mail', 'rcpt', 'data', 'dot']).toContain(at);
      },
    ),
  );
});
