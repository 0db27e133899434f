<?php

declare(strict_types=1);

use Illuminate\Database\Migrations\Migration;
use Illuminate\Database\Schema\Blueprint;
use Illuminate\Support\Facades\Schema;

// The end state of the existing app's migrations, of the tables that the service touches.
return new class () extends Migration {
    public function up(): void
    {
        Schema::create('tenants', static function (Blueprint $table): void {
            $table->string('id')->primary();
            $table->string('name');
            $table->timestamps();
            $table->json('data')->nullable();
        });
        Schema::create('users', static function (Blueprint $table): void {
            $table->id();
            $table->string('name');
            $table->string('email')->unique();
            $table->string('tenant_id')->nullable();
            $table->timestamp('email_verified_at')->nullable();
            $table->string('password');
            $table->rememberToken();
            $table->timestamps();
        });
        Schema::create('schemas', static function (Blueprint $table): void {
            $table->id();
            $table->timestamps();
            $table->string('hash')->unique();
            $table->string('name')->nullable();
            $table->string('tenant_id');
            $table->json('sample_data');
            $table->json('detected_fields');
            $table->enum('status', ['pending', 'confirmed', 'rejected'])->default('pending');
            $table->timestamp('confirmed_at')->nullable();
            $table->unsignedBigInteger('confirmed_by')->nullable();
            $table->string('kafka_topic')->nullable();
            $table->bigInteger('pending_records')->default(0);
            $table->json('entity_mappings')->nullable();
            $table->enum('type', ['input', 'struct', 'entity'])->default('input')->index();
            $table->string('external_id_field')->nullable();
            $table->string('dedupe_field')->nullable();
            $table->json('ai_recommendations')->nullable();
            $table->enum('ai_analysis_status', ['pending', 'processing', 'completed', 'failed', 'disabled'])
                ->default('pending');
            $table->timestamp('ai_analyzed_at')->nullable();
            $table->text('ai_analysis_error')->nullable();
            $table->foreign('tenant_id')->references('id')->on('tenants');
            $table->foreign('confirmed_by')->references('id')->on('users');
        });
        Schema::create('schema_mappings', static function (Blueprint $table): void {
            $table->id();
            $table->foreignId('schema_id')->constrained('schemas')->onDelete('cascade');
            $table->foreignId('target_schema_id')->constrained('schemas')->onDelete('cascade');
            $table->string('field_path');
            $table->boolean('is_array')->default(false);
            $table->json('mapping_definition')->nullable();
            $table->timestamps();
            $table->enum('mapping_type', ['direct', 'formula'])->default('direct');
            $table->text('formula_expression')->nullable();
            $table->string('formula_language', 50)->nullable();
            $table->index(['schema_id', 'field_path']);
            $table->index('target_schema_id');
        });
    }

    public function down(): void
    {
        Schema::dropIfExists('schema_mappings');
        Schema::dropIfExists('schemas');
        Schema::dropIfExists('users');
        Schema::dropIfExists('tenants');
    }
};
