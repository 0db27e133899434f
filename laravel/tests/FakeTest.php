<?php

declare(strict_types=1);

namespace Schemacast\Laravel\Tests;

use PHPUnit\Framework\AssertionFailedError;
use Schemacast\Laravel\Exceptions\InvalidRequest;
use Schemacast\Laravel\Facades\Schemacast;
use Schemacast\Laravel\Result;
use Schemacast\Laravel\Schemacast as Service;

final class FakeTest extends PackageTestCase
{
    public function testItRemembersAndTouchesNothing(): void
    {
        // Whatever it touched would fail.
        $this->boot(postgres: 'postgres://nobody@127.0.0.1:1/app', redis: '127.0.0.1:1');
        Schemacast::fake();
        Schemacast::assertNothingAnalyzed();
        self::assertSame(Result::ENQUEUED, Schemacast::analyze(7, force: true, by: '42')->outcome);
        self::assertCount(2, $this->app->make(Service::class)->analyzeMany([7, '8', 8]));
        Schemacast::assertAnalyzed(7);
        Schemacast::assertAnalyzed(7, static fn (array $options): bool => $options['force'] && $options['by'] === '42' && $options['queue'] === 'schemas');
        Schemacast::assertAnalyzedTimes(7, 2);
        Schemacast::assertAnalyzedTimes(8, 1);
        Schemacast::assertNotAnalyzed(9);
        Schemacast::assertAnalyzedCount(3);
    }

    /**
     * @dataProvider wrongAssertions
     */
    public function testAnAssertionCanFail(string $assertion, array $arguments, string $sentence): void
    {
        Schemacast::fake();
        Schemacast::analyze(7);
        $this->expectException(AssertionFailedError::class);
        $this->expectExceptionMessage($sentence);
        Schemacast::$assertion(...$arguments);
    }

    public function wrongAssertions(): array
    {
        return [
            ['assertAnalyzed', [8], 'The analysis of schema 8 was not asked for. Asked for: 7.'],
            ['assertAnalyzed', [7, static fn (array $options) => $options['force']], 'was not asked for with the options that the callback wants'],
            ['assertNotAnalyzed', [7], 'The analysis of schema 7 was asked for.'],
            ['assertAnalyzedTimes', [7, 2], 'The analysis of schema 7 was asked for 1 times, not 2.'],
            ['assertAnalyzedCount', [0], 'Asked for: 7.'],
            ['assertNothingAnalyzed', [], 'Analyses were asked for: 7.'],
        ];
    }

    public function testItRefusesWhatTheRealOneRefuses(): void
    {
        Schemacast::fake();
        $this->expectException(InvalidRequest::class);
        Schemacast::analyze(7, queue: 'high');
    }

    public function testTheFacadeReachesTheRealOne(): void
    {
        $id = $this->insert();
        self::assertSame(Result::ENQUEUED, Schemacast::analyze($id)->outcome);
        self::assertSame(["schema:analyze:{$id}"], $this->waiting());
    }
}
