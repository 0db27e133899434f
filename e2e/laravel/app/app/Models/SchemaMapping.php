<?php

declare(strict_types=1);

namespace App\Models;

use Illuminate\Database\Eloquent\Model;
use Illuminate\Database\Eloquent\Relations\BelongsTo;

class SchemaMapping extends Model
{
    protected $guarded = [];

    protected $casts = ['is_array' => 'boolean', 'mapping_definition' => 'array'];

    public function targetSchema(): BelongsTo
    {
        return $this->belongsTo(Schema::class, 'target_schema_id');
    }
}
