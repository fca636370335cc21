# The state backend of one account: the bucket and the table that every other unit's state needs. It comes first, so its
# own state starts on the worker's machine and moves into the bucket that it has made:
#
#   docustack bootstrap dev
#
# Once for each account; the worker tells its id by DOCUSTACK_ACCOUNT_ID. Applied with the block below commented out, then
# `terragrunt init -migrate-state` with it in use.

locals {
  account_id = get_env("DOCUSTACK_ACCOUNT_ID", "444444444444")
  region     = "us-east-1"

  # Unlike root.hcl, which wants an environment above the unit: this one serves them all.
  endpoint_url         = get_env("AWS_ENDPOINT_URL", "")
  target               = local.endpoint_url == "" ? "aws" : "endpoint"
  aws_provider_version = get_env("DOCUSTACK_AWS_PROVIDER_VERSION", local.target == "aws" ? "6.16.0" : "3.39.0")

  provider = {
    aws = { allowed_account_ids = [local.account_id] }

    endpoint = {
      skip_credentials_validation = true
      skip_metadata_api_check     = true
      skip_region_validation      = true

      (tonumber(split(".", local.aws_provider_version)[0]) < 4 ? "s3_force_path_style" : "s3_use_path_style") = true

      # EC2 because provider 3 asks it for the account's platforms, whatever is built.
      endpoints = { for service in ["dynamodb", "ec2", "iam", "s3", "sts"] : service => local.endpoint_url }
    }
  }

  backend = {
    aws = {}

    endpoint = {
      use_path_style              = true
      skip_credentials_validation = true
      skip_metadata_api_check     = true
      skip_region_validation      = true
      skip_requesting_account_id  = true
    }
  }
}

# In use once bucket and table exist: the pull request of `docustack bootstrap` uncomments it.
#
# remote_state {
#   backend = "s3"
#
#   generate = {
#     path      = "backend.tf"
#     if_exists = "overwrite_terragrunt"
#   }
#
#   config = merge(
#     {
#       bucket         = "docustack-terraform-state-${local.account_id}"
#       key            = "bootstrap/terraform.tfstate"
#       region         = local.region
#       encrypt        = true
#       dynamodb_table = "docustack-terraform-locks"
#     },
#     local.backend[local.target],
#   )
# }

terraform {
  source = "../modules//state-backend"
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
            tags = { ManagedBy = "terragrunt", Repository = "docustack-infrastructure-live", Unit = "bootstrap" }
          }
        },
        local.provider[local.target],
      )
    }
  })
}

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

inputs = {
  bucket     = "docustack-terraform-state-${local.account_id}"
  lock_table = "docustack-terraform-locks"

  # A simulator that speaks plain HTTP obeys such a policy too, and would lock everybody out.
  require_tls = !startswith(local.endpoint_url, "http://")
}
