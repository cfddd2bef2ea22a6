// Web3 v3 key files, as `ffe key new` writes them, through ethers.
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { Wallet, type BaseWallet } from 'ethers';
import { FFEError } from '../base/errors.js';

/** Opens a key file. @throws FFEError `key` for a wrong password, `io` for an unreadable file. */
export async function walletFromKeystore(file: string, password: string): Promise<BaseWallet> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new FFEError('io', `cannot open ${file}`, 'check the path', { cause });
  });
  try {
    return await Wallet.fromEncryptedJson(text, password);
  } catch (cause) {
    const wrong = /password/i.test(String(cause));
    throw new FFEError(
      'key',
      wrong ? `${file}: wrong password` : `${file} is not a Web3 key file`,
      wrong ? 'try again' : 'make one: ffe key new NAME',
      { cause },
    );
  }
}

/** The first line of a file. */
export async function readPasswordFile(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new FFEError('io', `cannot open ${file}`, 'check the path', { cause });
  });
  return text.split(/\r?\n/, 1)[0] ?? '';
}

/** Asks on the terminal without showing what is typed. */
export async function askPassword(prompt: string): Promise<string> {
  if (!process.stdin.isTTY) {
    throw new FFEError(
      'key',
      'no password: there is no terminal to ask on',
      'give --password-file FILE',
    );
  }
  process.stderr.write(`${prompt}: `);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: silent, terminal: true });
  const line = await new Promise<string>((resolve) => lines.question('', resolve));
  lines.close();
  process.stderr.write('\n');
  return line;
}
