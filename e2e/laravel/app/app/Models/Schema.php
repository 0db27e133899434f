<?php

declare(strict_types=1);

namespace App\Models;

use Illuminate\Database\Eloquent\Model;
use Illuminate\Database\Eloquent\Relations\BelongsTo;
use Illuminate\Database\Eloquent\Relations\HasMany;

class Schema extends Model
{
    protected $guarded = [];

    protected $casts = [
        'sample_data' => 'array',
        'detected_fields' => 'array',
        'entity_mappings' => 'array',
        'ai_recommendations' => 'array',
        'confirmed_at' => 'datetime',
        'ai_analyzed_at' => 'datetime',
        'pending_records' => 'integer',
    ];

    public function tenant(): BelongsTo
    {
        return $this->belongsTo(Tenant::class);
    }

    public function sourceMappings(): HasMany
    {
        return $this->hasMany(SchemaMapping::class, 'schema_id');
    }
}
