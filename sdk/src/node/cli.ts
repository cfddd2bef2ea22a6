#!/usr/bin/env node
// `npx @0g/ffe`: a thin command over the package. stdout is the result, stderr prose; errors as the
// C++ command says them. The main command line is the C++ one.
import { parseArgs } from 'node:util';
import { exitStatus, FFEError } from '../base/errors.js';
import type { ProgressEvent } from '../client/types.js';
import { FFE } from './ffe.js';
import { askPassword, readPasswordFile, walletFromKeystore } from './keystore.js';

const HELP = `Federated fine-tuning on 0G, the TypeScript package's command.

Usage: npx @0g/ffe <command> [options]

  check DATA.jsonl          read every row before anything is staked
  status SESSION            a session as the chain has it, as JSON
  submit SESSION DATA.jsonl verify the enclave, encrypt, upload, commit with the stake
  download SESSION FOLDER   take the model home into a new folder
  withdraw SESSION          take blob and stake back before the deadline
  claim SESSION             collect what an ended session owes you

Options:
  --network NAME|FILE       a network's name or file (default: devnet)
  --keystore FILE           Web3 key file of the account
  --password-file FILE      its password; without it the terminal asks
  --accept-provider-sees-data
                            submit: where a 0G Compute provider trains, it can read the rows
  -q, --quiet               no prose
  -h, --help

The C++ command \`ffe\` does all of this and more: ffe help.
`;

const OPTIONS = {
  network: { type: 'string', default: 'devnet' },
  keystore: { type: 'string' },
  'password-file': { type: 'string' },
  'accept-provider-sees-data': { type: 'boolean', default: false },
  quiet: { type: 'boolean', short: 'q', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

const usage = (message: string): FFEError =>
  new FFEError('usage', message, 'npx @0g/ffe --help lists the commands');

function readArguments(argv: string[]) {
  try {
    return parseArgs({ args: argv, options: OPTIONS, allowPositionals: true });
  } catch (cause) {
    throw usage(cause instanceof Error ? cause.message : String(cause));
  }
}

type Values = ReturnType<typeof readArguments>['values'];

async function client(values: Values, signs: boolean): Promise<FFE> {
  const network = values.network ?? 'devnet';
  if (!signs) return new FFE({ network });
  const file = values.keystore;
  if (file === undefined) {
    throw new FFEError('key', 'which account?', 'give --keystore FILE; make one: ffe key new NAME');
  }
  const passwordFile = values['password-file'];
  const password =
    passwordFile === undefined
      ? await askPassword(`password of ${file}`)
      : await readPasswordFile(passwordFile);
  return new FFE({ network, signer: await walletFromKeystore(file, password) });
}

const COMMANDS: Record<string, number> = {
  check: 1,
  status: 1,
  submit: 2,
  download: 2,
  withdraw: 1,
  claim: 1,
};

async function run(argv: string[], signal: AbortSignal): Promise<string> {
  const { values, positionals } = readArguments(argv);
  const [command, first = '', second = ''] = positionals;
  if (values.help === true || command === undefined) return HELP;
  const wanted = COMMANDS[command];
  if (wanted === undefined) throw usage(`there is no command "${command}"`);
  if (positionals.length !== wanted + 1) {
    throw usage(`${command} takes ${wanted} argument${wanted === 1 ? '' : 's'}`);
  }
  const onProgress = (event: ProgressEvent): void => {
    if (values.quiet === true || event.text === undefined) return;
    process.stderr.write(`${event.verb.padStart(12)} ${event.text}\n`);
  };
  const options = { onProgress, signal };
  const ffe = await client(values, command !== 'check' && command !== 'status');
  const line = (text: string): string => `${text}\n`;
  switch (command) {
    case 'check':
      return line(String((await ffe.check(first, options)).rows));
    case 'status': {
      const shown = (_key: string, value: unknown): unknown =>
        typeof value === 'bigint' ? value.toString() : value;
      return line(JSON.stringify(await ffe.status(first), shown, 2));
    }
    case 'submit':
      return line(
        (
          await ffe.submit(first, second, {
            ...options,
            acceptProviderSeesData: values['accept-provider-sees-data'] === true,
          })
        ).txHash,
      );
    case 'download':
      await ffe.download(first, { ...options, folder: second });
      return line(second);
    case 'withdraw':
      return line((await ffe.withdraw(first, options)).hash);
    default:
      return line((await ffe.claim(first, undefined, options)).hash);
  }
}

const stop = new AbortController();
process.once('SIGINT', () => stop.abort());
process.once('SIGTERM', () => stop.abort());
try {
  process.stdout.write(await run(process.argv.slice(2), stop.signal));
  process.exitCode = 0;
} catch (error) {
  const known = error instanceof FFEError ? error : new FFEError('internal', String(error));
  process.stderr.write(`error: ${known.message}\n`);
  if (known.hint !== '') process.stderr.write(`hint: ${known.hint}\n`);
  process.exitCode = exitStatus[known.code];
}
