# What every unit shares: where its state lives, which account it may touch, which provider it uses.
# A unit includes this file; what differs between environments stands in the env.hcl above the unit.

locals {
  env    = read_terragrunt_config(find_in_parent_folders("env.hcl")).locals
  region = read_terragrunt_config(find_in_parent_folders("region.hcl")).locals.region

  # Names of resources begin with this: docustack-dev, docustack-prod.
  name = "docustack-${local.env.environment}"

  # Set: all of AWS is one local endpoint (a simulator). Unset: the real AWS.
  endpoint_url = get_env("AWS_ENDPOINT_URL", "")
  target       = local.endpoint_url == "" ? "aws" : "endpoint"

  # The one place that pins the provider; the modules say only what they are written for. A machine that works against an
  # endpoint gets the provider from a mirror, in the version that the mirror has.
  aws_provider_version = get_env("DOCUSTACK_AWS_PROVIDER_VERSION", local.target == "aws" ? "6.16.0" : "3.39.0")
  aws_provider_major   = tonumber(split(".", local.aws_provider_version)[0])

  # A person logs in with the guide's profile. A worker has its credentials in the environment and no such profile.
  has_environment_credentials = anytrue([
    for variable in [
      "AWS_ACCESS_KEY_ID",
      "AWS_CONTAINER_CREDENTIALS_FULL_URI",
      "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
      "AWS_WEB_IDENTITY_TOKEN_FILE",
    ] : get_env(variable, "") != ""
  ])
  profile = {
    for key, value in { profile = "docustack-${local.env.environment}" } : key => value if !local.has_environment_credentials
  }

  provider = {
    # Never another account, whatever credentials are at hand.
    aws = merge(local.profile, { allowed_account_ids = [local.env.account_id] })

    endpoint = {
      skip_credentials_validation = true
      skip_metadata_api_check     = true
      skip_region_validation      = true

      # The argument has its present name since version 4; version 5 dropped the old one.
      (local.aws_provider_major < 4 ? "s3_force_path_style" : "s3_use_path_style") = true

      # Provider 3 doesn't read AWS_ENDPOINT_URL: each service that a module calls is named.
      endpoints = {
        for service in [
          "cloudtrail", "cloudwatchlogs", "dynamodb", "ec2", "ecs", "iam", "organizations", "rds", "route53", "s3",
          "secretsmanager", "servicediscovery", "sts",
        ] : service => local.endpoint_url
      }
    }
  }

  # Commands that change no infrastructure: in a unit whose dependencies were never applied they get the mock outputs of
  # its dependency blocks. Never apply, destroy, refresh or import: nothing real is built on mocks.
  commands_with_mocks = ["force-unlock", "init", "output", "plan", "providers", "show", "state", "validate"]

  backend = {
    aws = local.profile

    # The backend reads AWS_ENDPOINT_URL by itself; Terraform knows these arguments since 1.6.
    endpoint = {
      use_path_style              = true
      skip_credentials_validation = true
      skip_metadata_api_check     = true
      skip_region_validation      = true
      skip_requesting_account_id  = true
    }
  }
}

remote_state {
  backend = "s3"

  generate = {
    path      = "backend.tf"
    if_exists = "overwrite_terragrunt"
  }

  config = merge(
    {
      bucket         = "docustack-terraform-state-${local.env.account_id}"
      key            = "${path_relative_to_include()}/terraform.tfstate"
      region         = local.region
      encrypt        = true
      dynamodb_table = "docustack-terraform-locks"
    },
    local.backend[local.target],
  )
}

generate "provider" {
  path              = "provider.tf.json"
  if_exists         = "overwrite"
  disable_signature = true # JSON has no comments

  contents = jsonencode({
    provider = {
      aws = merge(
        {
          region = local.region
          default_tags = {
            tags = {
              Environment = local.env.environment
              ManagedBy   = "terragrunt"
              Repository  = "docustack-infrastructure-live"
              Unit        = path_relative_to_include()
            }
          }
        },
        local.provider[local.target],
      )
    }
  })
}

# An override, because the module has a required_providers block of its own.
generate "versions" {
  path              = "versions_override.tf.json"
  if_exists         = "overwrite"
  disable_signature = true

  contents = jsonencode({
    terraform = {
      required_providers = {
        aws = { source = "hashicorp/aws", version = local.aws_provider_version }
      }
    }
  })
}
