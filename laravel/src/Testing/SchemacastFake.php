<?php

declare(strict_types=1);

namespace Schemacast\Laravel\Testing;

use Illuminate\Database\Eloquent\Model;
use Illuminate\Support\Collection;
use PHPUnit\Framework\Assert;
use Schemacast\Laravel\Options;
use Schemacast\Laravel\Result;
use Schemacast\Laravel\Schemacast;

/**
 * Stands in for Schemacast in the app's tests: takes every request that the real one
 * would not throw at, says "enqueued", and can be asked what it was asked.
 */
final class SchemacastFake extends Schemacast
{
    /** @var list<array{0: int, 1: Options}> */
    private array $requests = [];

    /**
     * @param array<string, mixed> $config
     */
    public function __construct(array $config = [])
    {
        // The parent's other parts stay unset: nothing here reaches them.
        $this->config = $config;
    }

    public function analyzeMany(
        iterable $schemas,
        ?string $tenant = null,
        bool $force = false,
        ?string $queue = null,
        ?string $by = null
    ): Collection {
        $options = $this->options($tenant, $force, $queue, $by);
        $results = new Collection();
        foreach ($this->ids($schemas) as $id) {
            $this->requests[] = [$id, $options];
            $results[$id] = new Result($id, $tenant, Result::ENQUEUED);
        }
        return $results;
    }

    /**
     * @param (callable(array{tenant: ?string, force: bool, queue: string, by: ?string}): bool)|null $check
     */
    public function assertAnalyzed(Model|int|string $schema, ?callable $check = null): void
    {
        $id = Options::schemaId($schema);
        $matching = array_filter(
            $this->of($id),
            static fn (array $request) => $check === null || $check($request[1]->toArray())
        );
        $condition = $check === null ? '' : ' with the options that the callback wants';
        Assert::assertNotEmpty(
            $matching,
            "The analysis of schema {$id} was not asked for{$condition}. Asked for: {$this->asked()}."
        );
    }

    public function assertNotAnalyzed(Model|int|string $schema): void
    {
        $id = Options::schemaId($schema);
        Assert::assertEmpty($this->of($id), "The analysis of schema {$id} was asked for.");
    }

    public function assertAnalyzedTimes(Model|int|string $schema, int $times): void
    {
        $id = Options::schemaId($schema);
        $count = count($this->of($id));
        Assert::assertSame($times, $count, "The analysis of schema {$id} was asked for {$count} times, not {$times}.");
    }

    public function assertAnalyzedCount(int $count): void
    {
        Assert::assertCount($count, $this->requests, "Asked for: {$this->asked()}.");
    }

    public function assertNothingAnalyzed(): void
    {
        Assert::assertEmpty($this->requests, "Analyses were asked for: {$this->asked()}.");
    }

    /**
     * @return list<array{0: int, 1: Options}>
     */
    private function of(int $id): array
    {
        return array_values(array_filter($this->requests, static fn (array $request) => $request[0] === $id));
    }

    private function asked(): string
    {
        return implode(', ', array_column($this->requests, 0)) ?: 'nothing';
    }
}
