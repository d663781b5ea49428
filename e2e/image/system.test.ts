import { librariesOf, mergedUsr } from './system.ts';

test('libraries of a program: named ones and the loader, not the kernel’s own', () => {
  const output = `	linux-vdso.so.1 (0x00007fe011a11000)
	libm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007fe011911000)
	/lib64/ld-linux-x86-64.so.2 (0x00007fe011a13000)
`;
  expect(librariesOf(output)).toEqual(['/lib/x86_64-linux-gnu/libm.so.6', '/lib64/ld-linux-x86-64.so.2']);
});

test('a library that is missing here is named', () => {
  expect(() => librariesOf('	libatomic.so.1 => not found\n')).toThrow('libatomic.so.1');
});

test.each([
  ['/lib/x86_64-linux-gnu/libm.so.6', '/usr/lib/x86_64-linux-gnu/libm.so.6'],
  ['/lib64/ld.so', '/usr/lib64/ld.so'],
  ['/bin/sh', '/usr/bin/sh'],
  ['/usr/lib/x', '/usr/lib/x'],
  ['/library/x', '/library/x'],
])('%s is placed at %s', (path, placed) => {
  expect(mergedUsr(path)).toBe(placed);
});
