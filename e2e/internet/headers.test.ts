import { headerValue, parseDsn } from './headers.ts';

const dsn = (original: string) =>
  Buffer.from(
    [
      'From: postmaster@demo.example',
      'Content-Type: multipart/report; report-type=delivery-status;',
      '\tboundary="b1"',
      '',
      'ignored',
      '--b1',
      'Content-Type: text/plain; charset=utf-8',
      '',
      'It did not arrive.',
      '--b1',
      'Content-Type: message/delivery-status',
      '',
      'Reporting-MTA: dns; mail.demo.example',
      '',
      'Final-Recipient: rfc822; nobody@kapok.example',
      'Action: failed',
      'Status: 5.1.1',
      'Diagnostic-Code: smtp; 550 5.1.1 no such',
      '  user here',
      '',
      'Final-Recipient: rfc822; slow@kapok.example',
      'Action: Delayed',
      'Status: 4.2.0',
      '',
      'Final-Recipient: utf-8; j\\x{F6}rg@pine.example',
      'Action: failed',
      'Status: 5.6.7',
      '',
      '--b1',
      original,
      '',
      '--b1--',
      '',
    ].join('\r\n'),
  );
const original = ['', 'From: a@demo.example', 'X-Test-Id: t-1-7', 'Subject: x', ''].join('\r\n');

test.each([
  'text/rfc822-headers',
  'message/rfc822',
  'message/rfc822; charset=utf-8',
  'message/global-headers',
])('a notification with the original as %s', (type) => {
  expect(parseDsn(dsn(`Content-Type: ${type}\r\n${original}`))).toEqual({
    testId: 't-1-7',
    recipients: [
      { address: 'nobody@kapok.example', action: 'failed', status: '5.1.1' },
      { address: 'slow@kapok.example', action: 'delayed', status: '4.2.0' },
      { address: 'jörg@pine.example', action: 'failed', status: '5.6.7' },
    ],
  });
});

test('other mail is no notification, even when it quotes one', () => {
  expect(parseDsn(Buffer.from('Subject: x\r\n\r\nmultipart/report; report-type=delivery-status'))).toBeNull();
  expect(parseDsn(Buffer.from('Content-Type: multipart/mixed; boundary=b\r\n\r\n--b--'))).toBeNull();
});

test('headers are unfolded, found in any case, and the first one counts', () => {
  const block = 'Subject: one\r\n two\r\nX-TEST-ID: 5\r\nX-Test-Id: 6';
  expect(headerValue(block, 'subject')).toBe('one two');
  expect(headerValue(block, 'X-Test-Id')).toBe('5');
  expect(headerValue(block, 'To')).toBeNull();
});
