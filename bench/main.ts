import { Command, Option } from 'commander'
import { benchAccept } from './accept.ts'
import { benchConsole } from './console.ts'
import { benchDeliver } from './deliver.ts'
import { benchDuties } from './duties.ts'
import { benchFlood } from './flood.ts'
import { benchGrowth } from './growth.ts'
import { benchGrpc } from './grpc.ts'
import { benchIdle } from './idle.ts'
import { benchIsolation } from './isolation.ts'
import { benchLatency } from './latency.ts'
import { benchMemory } from './memory.ts'
import { benchOverload } from './overload.ts'
import { benchSettle } from './settle.ts'
import { benchSizes } from './sizes.ts'
import { benchStatement } from './statement.ts'
import { benchSurge } from './surge.ts'
import { benchWatch } from './watch.ts'
import { benchWhole } from './whole.ts'

const wholeNumber = (text: string): number => {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new Error(`${text} must be a whole number from 1 up`)
  return value
}

const KEEP = 'where its databases stay, to be used again by later runs; by default they are removed'

const wholeNumbers = (text: string): number[] => text.split(',').map(wholeNumber)

const countFromZero = (text: string): number => (text === '0' ? 0 : wholeNumber(text))

const program = new Command('bench').description(
  'how fast it is, as ratios against yardsticks of the same run',
)
program
  .command('accept')
  .description(
    'stk_push with a durable commit each, beside a bare echo and a server with one INSERT a request',
  )
  .option('--rounds <count>', 'how often each server has its turn', wholeNumber, 5)
  .option('--seconds <count>', 'how long a turn is, seconds', wholeNumber, 8)
  .option('--connections <count>', 'how many clients ask at once', wholeNumber, 64)
  .option('--tracing', 'measure it once more while each payment is traced, beside itself without')
  .action(benchAccept)
program
  .command('grpc')
  .description('RequestPayment through grpc-js and Connect, beside a bare echo of each')
  .option('--rounds <count>', 'how often each server has its turn', wholeNumber, 12)
  .option('--seconds <count>', 'how long a turn is, seconds', wholeNumber, 2)
  .action(benchGrpc)
program
  .command('settle')
  .description(
    'callbacks to settled payments with their deliveries, beside a bare echo; answers with Postgres and without',
  )
  .option('--rounds <count>', 'how often each server has its turn', wholeNumber, 3)
  .option('--seconds <count>', 'how long a turn is, seconds', wholeNumber, 8)
  .option('--connections <count>', 'on how many connections callbacks come', wholeNumber, 64)
  .action(benchSettle)
program
  .command('deliver')
  .description('deliveries of one dispatcher, each recorded durably, beside a bare loop of POSTs')
  .option('--rounds <count>', 'how often each has its turn', wholeNumber, 5)
  .option('--count <count>', 'deliveries in a turn', wholeNumber, 40_000)
  .action(benchDeliver)
program
  .command('latency')
  .description(
    'from the commit of an outcome to its first byte at the receiver; the same when JetStream loses its stream',
  )
  .option('--rates <list>', 'outcomes a second, separated by commas', wholeNumbers, [200, 1000])
  .option('--seconds <count>', 'how long each load is, seconds', wholeNumber, 30)
  .action(benchLatency)
program
  .command('isolation')
  .description('the times of 46 partners, alone and beside four in trouble')
  .option('--rounds <count>', 'how often each has its turn', wholeNumber, 3)
  .option('--seconds <count>', 'how long a turn is, seconds', wholeNumber, 40)
  .action(benchIsolation)
program
  .command('flood')
  .description('a partner’s times, alone and beside a flood of requests with keys that nobody has')
  .option('--requests <count>', 'how many the flood has', wholeNumber, 100_000)
  .option('--seconds <count>', 'in how long', wholeNumber, 20)
  .option('--per-second <count>', 'the partner’s requests a second', wholeNumber, 50)
  .option('--rounds <count>', 'how often', wholeNumber, 1)
  .action(benchFlood)
program
  .command('whole')
  .description('payments from request to delivered, beside an Express application with BullMQ')
  .option('--rounds <count>', 'how often each has its turn', wholeNumber, 2)
  .addOption(new Option('--only <system>', 'measures one of the two alone').choices(['peer', 'gateway']))
  .option('--count <count>', 'payments in a closed loop', wholeNumber, 4_000)
  .option(
    '--clients <count>',
    'how many of them are under way at once; by default 256, more where Daraja is slow',
    wholeNumber,
  )
  .option('--seconds <count>', 'how long each steady load is, seconds; 0 for none', countFromZero, 10)
  .option('--daraja-ms <count>', 'how long Daraja takes to answer a push, ms', countFromZero, 5)
  .option('--payer-ms <count>', 'how long the payer then takes to pay, ms', countFromZero, 20)
  .option(
    '--pushes-at-once <count>',
    'pushes to Daraja at once; by default what --daraja-ms needs, and of the gateway its own default',
    wholeNumber,
  )
  .option('--json', 'print all figures of all rounds as JSON instead of tables')
  .option(
    '--profile <folder>',
    'write profiles of serve and dispatch there, and print what the statements and the stages cost',
  )
  .option('--is-fresh', 'with a Postgres that has not run before: for a try, its times do not count')
  .action(benchWhole)
program
  .command('statement')
  .description('the import of M-PESA’s statements beside as many payments: memory at its peak, CPU, time')
  .option('--lines <list>', 'lines of each CSV, separated by commas', wholeNumbers, [100_000, 1_000_000])
  .option('--xlsx <list>', 'lines of each XLSX, separated by commas', wholeNumbers, [100_000])
  .action(benchStatement)
program
  .command('overload')
  .description('more payments than fit, by partners that repeat what is refused as their guide says')
  .option(
    '--times <list>',
    'how many times what fits is offered, separated by commas',
    wholeNumbers,
    [1, 2, 3, 5],
  )
  .option('--seconds <count>', 'for how long each, seconds', wholeNumber, 15)
  .option('--after <count>', 'for how long its end is watched, seconds', wholeNumber, 30)
  .option('--repeat-for <count>', 'for how long a partner repeats what is refused, seconds', wholeNumber, 10)
  .option('--count <count>', 'payments in the closed loop that finds out what fits', wholeNumber, 1_500)
  .option('--fits <count>', 'payments a second that fit; by default it is found out', wholeNumber)
  .option('--daraja-ms <count>', 'how long Daraja takes to answer a push, ms', countFromZero, 200)
  .option('--payer-ms <count>', 'how long the payer then takes to pay, ms', countFromZero, 20)
  .option('--pushes-at-once <count>', 'pushes to Daraja at once', wholeNumber, 32)
  .option('--is-fresh', 'with a Postgres that has not run before: for a try, its times do not count')
  .action(benchOverload)
program
  .command('surge')
  .description('payments at a steady rate while Daraja takes its time for every push')
  .option('--per-second <count>', 'payments a second', wholeNumber, 200)
  .option('--seconds <count>', 'for how long', wholeNumber, 60)
  .option(
    '--daraja-ms <count>',
    'how long Daraja takes to answer a push, and the payer to pay, ms',
    wholeNumber,
    1_000,
  )
  .option('--concurrency <count>', 'SUBMIT_CONCURRENCY; by default what serve has', String)
  .action(benchSurge)
program
  .command('growth')
  .description('payments and reads on databases of different sizes, which are to cost the same')
  .option(
    '--sizes <list>',
    'payments that are there already, the smallest first, separated by commas',
    (text) => text.split(',').map(countFromZero),
    [0, 1_000_000],
  )
  .option('--rounds <count>', 'how often each has its turn', wholeNumber, 3)
  .option('--per-second <count>', 'payments, and reads, a second', wholeNumber, 100)
  .option('--seconds <count>', 'how long each load is, seconds', wholeNumber, 15)
  .option('--keep <folder>', KEEP)
  .action(benchGrowth)
program
  .command('duties')
  .description('duties of an hour through each of their tables: dead rows, sizes, and blocks that looks take')
  .option('--duties <count>', 'how many', wholeNumber, 720_000)
  .action(benchDuties)
program
  .command('idle')
  .description('what one serve and one dispatch cost that have nothing to do: CPU and statements a second')
  .option('--seconds <count>', 'for how long it is watched, seconds', wholeNumber, 20)
  .action(benchIdle)
program
  .command('memory')
  .description('memory and CPU in each tenth of many payments through one serve and one dispatch')
  .option('--payments <count>', 'how many', wholeNumber, 1_000_000)
  .option('--clients <count>', 'how many of them are under way at once', wholeNumber, 64)
  .option('--snapshot', 'while another session holds a snapshot, so that no dead row can be removed')
  .action(benchMemory)
program
  .command('sizes')
  .description('what a payment takes on disk, by table and index, and what it writes to the WAL')
  .option('--payments <count>', 'payments that are there already', wholeNumber, 200_000)
  .option('--count <count>', 'payments that go the whole way, twice', wholeNumber, 5_000)
  .option('--clients <count>', 'how many of them are under way at once', wholeNumber, 128)
  .option('--partitions <count>', 'partitions beside those in use', countFromZero, 0)
  .action(benchSizes)
program
  .command('watch')
  .description(
    'watchers of payment events at one serve: memory, CPU, delay, and whether each sees each change',
  )
  .option('--watchers <count>', 'how many', wholeNumber, 1_000)
  .option('--per-second <count>', 'payments that are settled a second, four events each', wholeNumber, 200)
  .option('--seconds <count>', 'for how long', wholeNumber, 20)
  .addOption(
    new Option('--each <what>', 'what each watches: all payments, or those of one partner')
      .choices(['all', 'partner'])
      .default('all'),
  )
  .action(benchWatch)
program
  .command('console')
  .description(
    'pages of the console beside many payments, and what they cost these under load, beside another program',
  )
  .option('--payments <count>', 'how many are there', wholeNumber, 1_000_000)
  .option(
    '--rounds <count>',
    'rounds of a window of each kind; of every six, each order of the kinds has one',
    wholeNumber,
    12,
  )
  .option('--per-second <count>', 'payments a second', wholeNumber, 100)
  .option(
    '--seconds <count>',
    'how much of each window is counted, seconds, after one that is not; 0: pages alone',
    countFromZero,
    10,
  )
  .option('--is-fresh', 'with a Postgres that has not run before: for a try, its times do not count')
  .option('--keep <folder>', KEEP)
  .action(benchConsole)
await program.parseAsync()
