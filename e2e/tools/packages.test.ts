import { notInstalled } from './packages.ts';

const wanted = ['containerd', 'runc', 'postgresql'].map((debian) => ({ debian, provides: debian }));

test.each([
  ['all there', 'installed containerd\ninstalled runc\ninstalled postgresql\n', []],
  ['one unknown to dpkg', 'installed containerd\ninstalled postgresql\n', ['runc']],
  ['removed but configured', 'installed containerd\nconfig-files runc\ninstalled postgresql\n', ['runc']],
  ['none', '', ['containerd', 'runc', 'postgresql']],
])('%s', (_name, output, missing) => {
  expect(notInstalled(output, wanted)).toEqual(missing);
});
