import { X509Certificate } from 'node:crypto';
import { connect, createServer, type TLSSocket } from 'node:tls';
import type { Identity } from '../../process/identity/name.ts';
import { peerIdentity } from '../../process/identity/peer.ts';
import { newRequest } from '../../process/identity/request.ts';
import { Authority, createAuthority } from './authority.ts';
import { BadRequest } from './issue.ts';

const egress: Identity = { namespace: 'mail', role: 'egress', pool: 'main', pod: 'egress-1', uid: 'u-1' };
const NOW = new Date('2030-01-01T00:00:00Z');

describe('the authority', () => {
  it('certifies the key of a request under proven names only', async () => {
    const authority = await createAuthority(NOW);
    const { csr } = await newRequest();
    const certificate = new X509Certificate(await authority.issue(csr, egress, 86_400, NOW));
    expect(certificate.subjectAltName).toBe(
      'DNS:egress.postfleet.internal, URI:spiffe://postfleet/ns/mail/role/egress/pool/main/pod/egress-1/uid/u-1',
    );
    expect(certificate.checkIssued(new X509Certificate(authority.ca))).toBe(true);
    expect(certificate.verify(new X509Certificate(authority.ca).publicKey)).toBe(true);
    expect(certificate.validToDate).toEqual(new Date('2030-01-02T00:00:00Z'));
    expect(certificate.validFromDate).toEqual(new Date('2029-12-31T18:00:00Z'));
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
    expect(certificate.ca).toBe(false);
  });

  it('never outlives itself', async () => {
    const authority = await createAuthority(NOW);
    const { csr } = await newRequest();
    const end = new X509Certificate(authority.ca).validToDate;
    const cert = await authority.issue(csr, egress, 86_400, new Date(end.getTime() - 1000));
    expect(new X509Certificate(cert).validToDate).toEqual(end);
  });

  it.each([
    ['no PEM', () => 'hello'],
    ['a certificate instead', async () => (await createAuthority()).ca],
  ])('refuses %s', async (_, text) => {
    const authority = await createAuthority();
    await expect(authority.issue(await text(), egress, 60, NOW)).rejects.toBeInstanceOf(BadRequest);
  });

  it('refuses a request whose signature is not by its key', async () => {
    const authority = await createAuthority();
    const { csr } = await newRequest();
    const der = Buffer.from(csr.replace(/-----[^-]+-----|\s/g, ''), 'base64');
    der.writeUInt8(der.readUInt8(der.length - 1) ^ 1, der.length - 1);
    const forged = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
    await expect(authority.issue(forged, egress, 60, NOW)).rejects.toThrow('not signed');
  });

  it('is the same authority after it was stored', async () => {
    const made = await createAuthority();
    const again = await Authority.from(made.pair);
    const { cert } = await again.issueFor(egress);
    expect(new X509Certificate(cert).verify(new X509Certificate(made.ca).publicKey)).toBe(true);
  });

  it('serves mutual TLS in which both ends are known', async () => {
    const authority = await createAuthority();
    const server = await authority.issueLocal(egress);
    const client = await authority.issueLocal({ ...egress, role: 'delivery', pod: 'd-0' });
    const seen = Promise.withResolvers<string | undefined>();
    const listener = createServer({ ...server, requestCert: true }, (socket) =>
      seen.resolve(peerIdentity(socket)?.pod),
    );
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    const address = listener.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    const socket: TLSSocket = connect({ ...client, host: '127.0.0.1', port, servername: 'localhost' });
    await new Promise((resolve) => socket.once('secureConnect', resolve));
    expect(peerIdentity(socket)).toEqual(egress);
    expect(await seen.promise).toBe('d-0');
    socket.destroy();
    listener.close();
  });
});
