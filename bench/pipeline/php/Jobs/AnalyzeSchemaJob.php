<?php

declare(strict_types=1);

namespace App\Jobs;

use App\Events\SchemaAnalysis;
use App\Models\Schema;
use App\Models\SchemaMapping;
use App\Models\Tenant;
use Illuminate\Bus\Queueable;
use Illuminate\Contracts\Queue\ShouldQueue;
use Illuminate\Foundation\Bus\Dispatchable;
use Illuminate\Queue\InteractsWithQueue;
use Illuminate\Support\Facades\Http;
use Illuminate\Support\Facades\Log;
use RuntimeException;

/** The job that the service replaces: each statement its own commit, in the original's order. */
class AnalyzeSchemaJob implements ShouldQueue
{
    use Dispatchable;
    use InteractsWithQueue;
    use Queueable;

    public int $tries = 3;

    public int $timeout = 90;

    public function __construct(private int $schemaId)
    {
    }

    public function handle(): void
    {
        $schema = Schema::find($this->schemaId);
        if ($schema === null) {
            Log::warning('schema not found', ['schema_id' => $this->schemaId]);

            return;
        }
        try {
            $schema->update(['ai_analysis_status' => 'processing']);
            $tenant = Tenant::find($schema->tenant_id);
            $this->publish('started', $schema, [
                'name' => $schema->name,
                'hash' => $schema->hash,
                'tenant' => $tenant->name ?? 'Unknown',
                'detected_fields' => $schema->detected_fields,
            ]);
            $answer = $this->ask($schema);
            $schema->update([
                'ai_recommendations' => $answer,
                'ai_analysis_status' => 'completed',
                'ai_analyzed_at' => now(),
                'ai_analysis_error' => null,
                'name' => $answer['source_schema_name'] ?: $schema->name,
            ]);
        } catch (\Exception $e) {
            $schema->update(['ai_analysis_status' => 'failed', 'ai_analysis_error' => $e->getMessage(), 'ai_analyzed_at' => now()]);
            $this->publish('failed', $schema, ['error' => $e->getMessage()]);
            throw $e;
        }
        try {
            $this->apply($schema, $answer);
        } catch (\Exception $e) {
            Log::error('apply the recommendation', ['schema_id' => $schema->id, 'exception' => $e]);
            $this->publish('failed', $schema, ['error' => $e->getMessage()]);
        }
    }

    /** @return array<string, mixed> */
    private function ask(Schema $schema): array
    {
        $entities = Schema::where('tenant_id', $schema->tenant_id)->where('type', 'struct')->where('status', 'confirmed')->get();
        $samples = $schema->sample_data;
        $request = [
            'incoming_schema' => [
                'id' => $schema->id,
                'hash' => $schema->hash,
                'name' => $schema->name ?? 'unknown_schema',
                'tenant_id' => abs(crc32($schema->tenant_id)),
                'detected_fields' => $schema->detected_fields,
                'sample_data' => isset($samples[0]) ? $samples : [$samples],
            ],
            'existing_entities' => $entities->map(static fn (Schema $entity): array => [
                'id' => $entity->id,
                'name' => $entity->name,
                'fields' => $entity->detected_fields,
            ])->all(),
        ];
        $response = Http::timeout(60)->post(env('BENCH_MODEL_URL') . '/analyze-schema', $request);
        if (!$response->successful()) {
            throw new RuntimeException('AI service error: ' . $response->body());
        }
        $decoded = $response->json();
        if (!isset($decoded['action'], $decoded['field_mappings'])) {
            throw new RuntimeException('AI service error: ' . $response->body());
        }

        return $decoded;
    }

    /** @param array<string, mixed> $answer */
    private function apply(Schema $schema, array $answer): void
    {
        $entity = Schema::findOrFail($answer['entity_id']);
        SchemaMapping::where('schema_id', $schema->id)->delete();
        $types = array_column($schema->detected_fields, 'type', 'name');
        $targetTypes = array_column($entity->detected_fields, 'type', 'name');
        foreach ($answer['field_mappings'] as $mapping) {
            $formula = $mapping['jsonata_formula'] ?: null;
            $isFormula = $formula !== null && $mapping['transformation'] !== 'direct';
            SchemaMapping::create([
                'schema_id' => $schema->id,
                'target_schema_id' => $entity->id,
                'field_path' => $mapping['source_field'],
                'is_array' => false,
                'mapping_definition' => ['schema_mapping' => ['fields' => [[
                    'sourcePath' => $mapping['source_field'],
                    'fieldName' => $mapping['target_field'],
                    'sourceType' => $types[$mapping['source_field']] ?? 'string',
                    'fieldType' => $targetTypes[$mapping['target_field']] ?? 'string',
                ]]]],
                'mapping_type' => $isFormula ? 'formula' : 'direct',
                'formula_expression' => $isFormula ? $formula : null,
                'formula_language' => $isFormula ? 'JSONata' : null,
            ]);
        }
        $schema->update(['status' => 'confirmed']);
        $tenant = Tenant::find($schema->tenant_id);
        $schema->refresh();
        $this->publish('completed', $schema, [
            'bronze_schema' => [
                'id' => $schema->id,
                'hash' => $schema->hash,
                'name' => $schema->name,
                'type' => $schema->type,
                'status' => $schema->status,
                'tenant' => $tenant->name ?? 'Unknown',
                'detected_fields' => $schema->detected_fields,
                'created_at' => $schema->created_at->format('Y-m-d'),
            ],
            'silver_entity' => [
                'id' => $entity->id,
                'name' => $entity->name,
                'hash' => $entity->hash,
                'type' => $entity->type,
                'detected_fields' => $entity->detected_fields,
            ],
            'mappings_count' => SchemaMapping::where('schema_id', $schema->id)->count(),
        ]);
    }

    /** @param array<string, mixed> $data */
    private function publish(string $status, Schema $schema, array $data): void
    {
        broadcast(new SchemaAnalysis($status, $schema->id, $schema->tenant_id, $data));
    }
}
