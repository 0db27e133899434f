<?php

declare(strict_types=1);

namespace App\Http\Controllers;

use App\Models\Schema;
use App\Models\SchemaMapping;
use Illuminate\Http\JsonResponse;
use Illuminate\Http\Request;
use Illuminate\Routing\Controller;

/**
 * The page-load queries of the existing dashboard, and what its page makes of them: the
 * nodes with their handles, and the edges between handles.
 */
class DashboardController extends Controller
{
    public function index(Request $request): JsonResponse
    {
        $tenant = $request->user()->tenant_id;
        $mine = static fn () => Schema::query()->when($tenant, static fn ($q) => $q->where('tenant_id', $tenant));
        $mapped = $mine()->has('sourceMappings')->with(['tenant', 'sourceMappings.targetSchema'])->orderBy('id')->get();
        $entities = $mine()->where('type', 'struct')->where('status', 'confirmed')->orderBy('id')->get();
        $analysing = $mine()->where('status', 'pending')->doesntHave('sourceMappings')->orderBy('id');
        // The one-line change of the package's README: a failed row does not look busy.
        $unfinished = (clone $analysing)->where('ai_analysis_status', '!=', 'failed');

        return response()->json([
            'sources' => $mapped->map(fn (Schema $s): array => $this->source($s)),
            'entities' => $entities->map(fn (Schema $s): array => $this->entity($s)),
            'edges' => $mapped->flatMap(fn (Schema $s): array => $this->edgesOf($s))->values(),
            'analysing' => $analysing->pluck('id'),
            'analysing_without_failed' => $unfinished->pluck('id'),
            'stats' => [
                'schemas' => $mapped->count(),
                'entities' => $entities->count(),
                'analysing' => $analysing->count(),
            ],
        ]);
    }

    /** @return array<string, mixed> */
    private function source(Schema $schema): array
    {
        return [
            'id' => $schema->id,
            'label' => $schema->name ?? 'Schema ' . $schema->hash,
            'tenant' => $schema->tenant->name,
            'created_at' => $schema->created_at->format('Y-m-d'),
            'pending_records' => $schema->pending_records,
            'handles' => $this->handles($schema, $schema->hash),
        ];
    }

    /** @return array<string, mixed> */
    private function entity(Schema $entity): array
    {
        return [
            'id' => $entity->id,
            'label' => $entity->name,
            'handles' => $this->handles($entity, (string) $entity->name),
        ];
    }

    /** @return list<string> one a field */
    private function handles(Schema $schema, string $node): array
    {
        return array_map(static fn ($field): string => $node . '-' . ($field['name'] ?? ''), $schema->detected_fields);
    }

    /** @return list<array<string, mixed>> */
    private function edgesOf(Schema $schema): array
    {
        return $schema->sourceMappings->flatMap(fn ($mapping): array => $this->edges($schema, $mapping))->all();
    }

    /** @return list<array<string, mixed>> one edge an input of the mapping */
    private function edges(Schema $schema, SchemaMapping $mapping): array
    {
        $field = $mapping->mapping_definition['schema_mapping']['fields'][0] ?? [];
        $path = $field['sourcePath'] ?? '';
        $target = $field['fieldName'] ?? '';
        $formula = (string) $mapping->formula_expression;
        if (($path === '' || $target === '') && $formula === '') {
            return [];
        }
        $split = strpos($path, ',') === false ? [$mapping->field_path] : array_map('trim', explode(',', $path));
        $sources = $field['sourceFields'] ?? $split;

        return array_map(static fn (string $source): array => [
            'source' => $schema->hash . '-' . $source,
            'target' => $mapping->targetSchema->name . '-' . $target,
            'formula' => $formula === '' ? null : $formula,
            'language' => $mapping->formula_language,
            'source_type' => $field['sourceType'],
            'target_type' => $field['fieldType'],
        ], $sources);
    }
}
