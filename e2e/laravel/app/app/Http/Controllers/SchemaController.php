<?php

declare(strict_types=1);

namespace App\Http\Controllers;

use App\Models\Schema;
use Illuminate\Http\JsonResponse;
use Illuminate\Http\Request;
use Illuminate\Routing\Controller;
use Illuminate\Support\Facades\DB;
use Illuminate\Support\Facades\Log;
use Schemacast\Laravel\Exceptions\SchemacastException;
use Schemacast\Laravel\Facades\Schemacast;

class SchemaController extends Controller
{
    /** What the ingestion service posts for each new shape of records. */
    public function create(Request $request): JsonResponse
    {
        $input = $request->validate([
            'hash' => 'required|string|max:255',
            'tenant_id' => 'required|string|exists:tenants,id',
            'sample_data' => 'required|array',
            'detected_fields' => 'required|array',
        ]);
        $known = Schema::where('tenant_id', $input['tenant_id'])->where('hash', $input['hash'])->first();
        if ($known !== null) {
            $known->increment('pending_records');

            return response()->json(['id' => $known->id, 'status' => $known->status]);
        }
        $schema = Schema::create($input + ['kafka_topic' => 'schema-' . $input['hash']]);
        try {
            $result = Schemacast::analyze($schema->id);
        } catch (SchemacastException $e) {
            // The row is stored, and the service finds it by itself.
            Log::error('enqueue the analysis of a new schema', ['schema_id' => $schema->id, 'exception' => $e]);
        }

        return response()->json([
            'id' => $schema->id,
            'status' => 'pending',
            'analysis' => isset($result) ? $result->toArray() : null,
        ], 201);
    }

    /** Several shapes at once: all are stored, or none. */
    public function batch(Request $request): JsonResponse
    {
        $results = DB::transaction(static fn (): array => array_map(static function (array $input): array {
            $schema = Schema::create($input + ['kafka_topic' => 'schema-' . $input['hash']]);

            return Schemacast::analyze($schema)->toArray();
        }, $request->input('schemas')));

        return response()->json($results, 201);
    }

    /** "Analyse again". */
    public function analyze(Request $request, int $id): JsonResponse
    {
        $tenant = $request->user()->tenant_id;
        try {
            $result = Schemacast::analyze($id, $tenant, $request->boolean('force'));
        } catch (SchemacastException $e) {
            return response()->json(['message' => $e->getMessage()], 503);
        }
        if ($result->outcome === 'unknown') {
            return response()->json(['message' => $result->reason], 404);
        }

        return response()->json($result->toArray(), $result->accepted() ? 202 : 409);
    }

    public function recommendations(Request $request, int $id): JsonResponse
    {
        $schema = $this->visible($request)->findOrFail($id);

        return response()->json([
            'recommendations' => $schema->ai_recommendations,
            'status' => $schema->ai_analysis_status,
            'analyzed_at' => $schema->ai_analyzed_at,
            'error' => $schema->ai_analysis_error,
        ]);
    }

    /** A user sees the rows of the own tenant, a landlord all. */
    private function visible(Request $request)
    {
        $tenant = $request->user()->tenant_id;

        return $tenant === null ? Schema::query() : Schema::where('tenant_id', $tenant);
    }
}
