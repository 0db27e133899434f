<?php

declare(strict_types=1);

namespace Schemacast\Laravel\Tests;

use Illuminate\Database\Eloquent\Model;
use Illuminate\Support\Facades\DB;
use RuntimeException;
use Schemacast\Laravel\Exceptions\InvalidRequest;
use Schemacast\Laravel\Result;

/**
 * What becomes of a request in the database and in Redis.
 */
final class AnalyzeTest extends PackageTestCase
{
    public function testAFreshRowGetsATaskAndNoRun(): void
    {
        $id = $this->insert();
        $result = $this->schemacast()->analyze($id);
        self::assertEquals(new Result($id, 't1', Result::ENQUEUED), $result);
        self::assertSame(["schema:analyze:{$id}"], $this->waiting());
        self::assertSame([], $this->openRuns());
        self::assertSame(Result::ALREADY_QUEUED, $this->schemacast()->analyze($id)->outcome);
        self::assertTrue($this->schemacast()->analyze((string) $id)->queued());
    }

    /**
     * @dataProvider rowsThatDoNotAskByThemselves
     *
     * @param array<string, mixed> $columns
     */
    public function testAnotherRowGetsAnOpenRun(array $columns): void
    {
        $id = $this->insert($columns);
        self::assertSame(Result::ENQUEUED, $this->schemacast()->analyze($id)->outcome);
        self::assertSame('pending', $this->status($id));
        self::assertSame([[
            'schema_id' => $id, 'tenant_id' => 't1', 'state' => 'requested', 'requested_by' => 'laravel', 'force' => false, 'queue' => '',
        ]], $this->openRuns());
        self::assertSame(["schema:analyze:{$id}"], $this->waiting());
    }

    public function rowsThatDoNotAskByThemselves(): array
    {
        return [
            'failed' => [['ai_analysis_status' => 'failed']],
            'completed' => [['ai_analysis_status' => 'completed', 'status' => 'confirmed']],
            'stuck in processing' => [['ai_analysis_status' => 'processing']],
            'older than the installation' => [['created_at' => '2020-01-01 00:00:00']],
            'of an app that is ahead of UTC' => [['created_at' => gmdate('Y-m-d H:i:s', time() + 7200)]],
            'without a time' => [['created_at' => null]],
            'mapped by a human' => [['type' => 'entity']],
        ];
    }

    public function testARunIsAsTheGoServiceWritesIt(): void
    {
        $id = $this->insert(['ai_analysis_status' => 'failed', 'updated_at' => '2020-01-01 00:00:00']);
        $before = (int) $this->database()->selectOne('SELECT floor(extract(epoch FROM clock_timestamp()) * 1000) AS ms')->ms;
        $this->schemacast()->analyze($id, force: true, queue: 'schemas-backfill', by: '7');
        $run = (array) $this->database()->table('schemacast_runs')->first();
        self::assertMatchesRegularExpression('/\A[0-7][0-9A-HJKMNP-TV-Z]{25}\z/', $run['id']);
        self::assertSame([$id, 'requested', '7', true, 'schemas-backfill', 0, 0, ''], [
            $run['active_schema_id'], $run['state'], $run['requested_by'], $run['force'], $run['queue'], $run['fence'], $run['attempts'], $run['owner'],
        ]);
        self::assertGreaterThanOrEqual($before, $run['requested_ms']);
        self::assertSame(["schema:analyze:{$id}"], $this->waiting('schemas-backfill'));
        self::assertGreaterThan('2026-01-01', $this->database()->table('schemas')->value('updated_at'));
    }

    public function testAnOpenRunServesAsWell(): void
    {
        $id = $this->insert(['ai_analysis_status' => 'failed']);
        $this->schemacast()->analyze($id, by: 'first');
        $this->redis->call('FLUSHALL');
        self::assertSame(Result::ENQUEUED, $this->schemacast()->analyze($id, by: 'second')->outcome);
        self::assertSame(['first'], array_column($this->openRuns(), 'requested_by'));
    }

    public function testForceReachesARunThatNobodyWorksOn(): void
    {
        $id = $this->insert(['ai_analysis_status' => 'failed']);
        $this->schemacast()->analyze($id);
        self::assertSame('', $this->schemacast()->analyze($id, force: true)->reason);
        self::assertSame([true], array_column($this->openRuns(), 'force'));
    }

    public function testForceDoesNotReachARunThatIsWorkedOn(): void
    {
        $id = $this->insert(['ai_analysis_status' => 'failed']);
        $this->schemacast()->analyze($id);
        $this->database()->table('schemacast_runs')->update(['state' => 'running']);
        $result = $this->schemacast()->analyze($id, force: true);
        self::assertTrue($result->accepted());
        self::assertSame("A worker analyses schema {$id} now, without force; ask again when that has ended.", $result->reason);
        self::assertSame([false], array_column($this->openRuns(), 'force'));
    }

    public function testARunInTheBackfillMovesToThoseWhoWait(): void
    {
        $id = $this->insert(['ai_analysis_status' => 'failed']);
        $this->schemacast()->analyze($id, queue: 'schemas-backfill');
        $this->schemacast()->analyze($id, queue: 'schemas-backfill');
        self::assertSame(['schemas-backfill'], array_column($this->openRuns(), 'queue'));
        $this->schemacast()->analyze($id);
        self::assertSame([''], array_column($this->openRuns(), 'queue'));
        self::assertGreaterThan(0, $this->database()->table('schemacast_runs')->value('asked_ms'));
    }

    public function testARunThatIsBeingCancelledIsSaid(): void
    {
        $id = $this->insert(['ai_analysis_status' => 'failed']);
        $this->schemacast()->analyze($id);
        $this->database()->table('schemacast_runs')->update(['state' => 'running', 'cancelled_by' => 'somebody']);
        $result = $this->schemacast()->analyze($id);
        self::assertSame("The analysis of schema {$id} was cancelled and is about to end; ask again when it has.", $result->reason);
    }

    public function testRowsThatAreNotToBeAnalysedAreRefused(): void
    {
        $rejected = $this->insert(['status' => 'rejected']);
        $disabled = $this->insert(['ai_analysis_status' => 'disabled']);
        $entity = $this->insert(['type' => 'struct', 'ai_analysis_status' => 'completed']);
        $results = $this->schemacast()->analyzeMany([$rejected, $disabled, $entity]);
        self::assertSame([
            $rejected => "Schema {$rejected} was rejected by a human; use force to analyse it all the same.",
            $disabled => "The analysis of schema {$disabled} is disabled; use force to analyse it all the same.",
            $entity => "Schema {$entity} is a canonical entity; name the schema that should be mapped to it.",
        ], $results->map(static fn (Result $r) => $r->reason)->all());
        self::assertTrue($results->every->refused());
        self::assertSame([], $this->waiting());
        $forced = $this->schemacast()->analyzeMany([$rejected, $disabled, $entity], force: true);
        self::assertSame(['enqueued', 'enqueued', 'refused'], $forced->map(static fn (Result $r) => $r->outcome)->values()->all());
    }

    public function testOfAnotherTenantIsUnknown(): void
    {
        $own = $this->insert();
        $foreign = $this->insert(['tenant_id' => 't2', 'ai_analysis_status' => 'failed']);
        $results = $this->schemacast()->analyzeMany([$foreign, 999999, $own], tenant: 't1');
        self::assertSame([
            ['schema_id' => $foreign, 'outcome' => 'unknown', 'reason' => "Tenant t1 has no schema with the id {$foreign}; "
                . 'see the columns id and tenant_id of the table schemas.'],
            ['schema_id' => 999999, 'outcome' => 'unknown', 'reason' => 'Tenant t1 has no schema with the id 999999; '
                . 'see the columns id and tenant_id of the table schemas.'],
            ['schema_id' => $own, 'outcome' => 'enqueued', 'reason' => ''],
        ], $results->values()->toArray());
        self::assertSame('failed', $this->status($foreign));
        self::assertSame('No schema has the id 999999; see the column id of the table schemas.', $this->schemacast()->analyze(999999)->reason);
    }

    /**
     * @dataProvider oddTenants
     */
    public function testATenantWithAnOddIdStopsNobody(string $tenant): void
    {
        $this->database()->table('tenants')->insert(['id' => $tenant, 'name' => 'Odd']);
        $ids = [$this->insert(['tenant_id' => $tenant]), $this->insert()];
        self::assertTrue($this->schemacast()->analyzeMany($ids)->every->queued());
        $message = $this->redis->call('HGET', "asynq:{schemas}:t:schema:analyze:{$ids[0]}", 'msg');
        self::assertStringContainsString('{"schema_id":' . $ids[0] . ',"v":1}', $message);
    }

    public function oddTenants(): array
    {
        return ['too long in JSON' => [str_repeat("\x01", 255)], 'a replacement character' => ["a\u{FFFD}"]];
    }

    public function testTheTaskFollowsTheCommit(): void
    {
        $id = 0;
        $result = DB::transaction(function () use (&$id): Result {
            $id = $this->insert();
            $failed = $this->insert(['ai_analysis_status' => 'failed']);
            $result = $this->schemacast()->analyzeMany([$id, $failed])->first();
            self::assertSame([], $this->waiting());
            return $result;
        });
        self::assertSame(Result::DEFERRED, $result->outcome);
        self::assertTrue($result->accepted());
        self::assertFalse($result->queued());
        self::assertCount(2, $this->waiting());
        self::assertCount(1, $this->openRuns());
    }

    public function testARollBackLeavesNothing(): void
    {
        $id = $this->insert(['ai_analysis_status' => 'failed']);
        try {
            DB::transaction(function () use ($id): void {
                DB::transaction(fn () => $this->schemacast()->analyze($id));
                throw new RuntimeException('changed my mind');
            });
        } catch (RuntimeException $e) {
            self::assertSame('changed my mind', $e->getMessage());
        }
        self::assertSame([], $this->waiting());
        self::assertSame([], $this->openRuns());
        self::assertSame('failed', $this->status($id));
    }

    public function testARowWithoutAnIdIsNamed(): void
    {
        $row = new class () extends Model {
            protected $table = 'schemas';
        };
        $saved = (clone $row)->newQuery()->find($this->insert());
        self::assertSame(Result::ENQUEUED, $this->schemacast()->analyze($saved)->outcome);
        $this->expectException(InvalidRequest::class);
        $this->expectExceptionMessage('has no id yet; save it before');
        $this->schemacast()->analyze($row);
    }

    /**
     * @dataProvider wrongCalls
     */
    public function testAWrongCallIsNamed(array $call, string $sentence): void
    {
        try {
            $this->schemacast()->analyze(...$call);
            self::fail('accepted');
        } catch (InvalidRequest $e) {
            self::assertSame($sentence, $e->getMessage());
        }
        self::assertSame([], $this->waiting());
    }

    public function wrongCalls(): array
    {
        $noId = 'is no id of a schema; ids are whole numbers from 1 on, see the column id of the table schemas.';
        return [
            [['schema' => 0], "0 {$noId}"],
            [['schema' => -5], "-5 {$noId}"],
            [['schema' => '12abc'], "\"12abc\" {$noId}"],
            [['schema' => '012'], "\"012\" {$noId}"],
            [['schema' => '9223372036854775808'], "\"9223372036854775808\" {$noId}"],
            [['schema' => ''], "\"\" {$noId}"],
            [['schema' => 1, 'queue' => 'default'], 'No worker reads the queue "default"; use "schemas" or "schemas-backfill".'],
            [['schema' => 1, 'tenant' => ''], 'The tenant id is empty; pass the id as it is in tenants, or null for any tenant.'],
        ];
    }

    public function testTheUserWhoAsksIsRecorded(): void
    {
        $id = $this->insert(['ai_analysis_status' => 'failed']);
        $this->app['auth']->setUser(new \Illuminate\Auth\GenericUser(['id' => 42]));
        $this->schemacast()->analyze($id);
        self::assertSame(['42'], array_column($this->openRuns(), 'requested_by'));
    }

    public function testManyAtOnce(): void
    {
        $this->database()->insert("INSERT INTO schemas (hash, tenant_id, sample_data, detected_fields, created_at, ai_analysis_status)
            SELECT 'h' || n, 't1', '{}', '[]', now(), 'failed' FROM generate_series(1, 1201) AS n");
        $ids = $this->database()->table('schemas')->orderBy('id')->pluck('id')->all();
        $results = $this->schemacast()->analyzeMany([...$ids, ...$ids]);
        self::assertSame($ids, $results->keys()->all());
        self::assertTrue($results->every(static fn (Result $r) => $r->outcome === Result::ENQUEUED));
        self::assertSame(array_map(static fn (int $id) => "schema:analyze:{$id}", $ids), $this->waiting());
        self::assertCount(1201, $this->openRuns());
        self::assertTrue($this->schemacast()->analyzeMany([])->isEmpty());
    }
}
