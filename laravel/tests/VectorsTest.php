<?php

declare(strict_types=1);

namespace Schemacast\Laravel\Tests;

use PHPUnit\Framework\TestCase;
use Schemacast\Laravel\Exceptions\InvalidRequest;
use Schemacast\Laravel\Task\Message;
use Schemacast\Laravel\Task\Payload;
use Schemacast\Laravel\Task\Task;

/**
 * The bytes that go to Redis are those of the Go producer. Both read the same file.
 */
final class VectorsTest extends TestCase
{
    private const TASK = __DIR__ . '/../../internal/task/';

    public function testTheScriptIsTheSame(): void
    {
        $script = (string) file_get_contents(__DIR__ . '/../resources/enqueue.lua');
        self::assertSame(file_get_contents(self::TASK . 'enqueue.lua'), $script);
        self::assertSame(self::vectors()['script_sha1'], sha1($script));
    }

    /**
     * @dataProvider messages
     */
    public function testMessage(array $v): void
    {
        $message = (new Message($v['type'], $v['payload'], $v['id'], $v['queue']))
            ->retry($v['retry'])->timeout($v['timeout'])->deadline($v['deadline'])
            ->uniqueKey($v['unique_key'])->retention($v['retention'])->headers($v['headers'] ?? []);
        self::assertSame($v['message_hex'], bin2hex($message->encode()));
    }

    /**
     * @dataProvider requests
     */
    public function testRequest(array $v): void
    {
        $payload = new Payload($v['schema_id'], $v['tenant_id']);
        $taskId = Task::id($v['schema_id']) . ($v['fence'] === null ? '' : ':' . $v['fence']);
        self::assertSame($v['payload'], $payload->encode());
        self::assertSame($v['task_id'], $taskId);
        self::assertSame($v['keys'], Task::keys($v['queue'], $taskId));
        self::assertSame($v['message_hex'], bin2hex(Task::message($payload, $v['queue'], $taskId, $v['producer'], $v['traceparent'])));
    }

    public function messages(): iterable
    {
        return self::named('messages');
    }

    public function requests(): iterable
    {
        return self::named('requests');
    }

    public function testAMalformedTraceIsLeftOut(): void
    {
        $payload = new Payload(1);
        $with = static fn (string $trace) => Task::message($payload, 'schemas', 'schema:analyze:1', 'p', $trace);
        self::assertSame($with(''), $with('00-xyz-1-01'));
        self::assertSame($with(''), $with("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n"));
    }

    /**
     * @dataProvider payloadsThatNoWorkerWouldTake
     */
    public function testAPayloadThatNoWorkerWouldTakeIsNamed(int $id, string $tenant, string $sentence): void
    {
        $this->expectException(InvalidRequest::class);
        $this->expectExceptionMessage($sentence);
        (new Payload($id, $tenant))->encode();
    }

    public function payloadsThatNoWorkerWouldTake(): array
    {
        return [
            [0, '', 'Schema 0 has no id that a row can have'],
            [7, "\xc3", 'Schema 7 has a tenant_id that is not valid Unicode'],
            [7, "\u{FFFD}", 'Schema 7 has a tenant_id that is not valid Unicode'],
            [7, "a\0", 'Schema 7 has a NUL character in its tenant_id'],
            [7, str_repeat('ü', 256), 'Schema 7 has a tenant_id of 256 characters; at most 255 exist'],
            [7, str_repeat("\u{1}", 255), 'Schema 7 needs a task of 1566 bytes, and at most 1024 are allowed'],
        ];
    }

    private static function named(string $list): iterable
    {
        foreach (self::vectors()[$list] as $vector) {
            yield $vector['name'] => [$vector];
        }
    }

    private static function vectors(): array
    {
        return json_decode((string) file_get_contents(self::TASK . 'testdata/vectors.json'), true, 512, JSON_THROW_ON_ERROR);
    }
}
