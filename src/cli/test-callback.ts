import { Command, Option } from 'commander'
import { SAMPLE_NAMES } from '../core/outbox/sample-outcomes.ts'
import type { Environment } from './environment.ts'
import { type ByOptions, byOption } from './options.ts'

export type TestOptions = ByOptions & { url: string; partner?: string; outcome?: string[] }

/** `partners test-callback`: sends sample deliveries to a partner's endpoint. */
export const testCallbackCommand = (environment: Environment): Command =>
  new Command('test-callback')
    .description('POST samples of every outcome to a URL, as deliveries are, each marked as a test')
    .requiredOption('--url <url>', 'where to, as in callback_url')
    .option('--partner <id>', 'signs with this partner’s secret; without, nothing is signed')
    .addOption(new Option('--outcome <names...>', 'only these').choices(SAMPLE_NAMES))
    .addOption(byOption())
    .option('--json', 'print one line of JSON, with the answers')
    .addHelpText(
      'after',
      '\nMarked by headers alone: webhook-id begins with test_, and X-Gateway-Test names the outcome. Exits with 1 unless all are answered with a 2xx.\n\nExample:\n  gateway partners test-callback --url https://shop.co.ke/payment_callback --partner 7',
    )
    .action(async (options: TestOptions) => {
      // It alone sends, and reading what sends takes longer than most commands of partners do.
      const { testCallback } = await import('./run-test-callback.ts')
      await testCallback(environment, options)
    })
